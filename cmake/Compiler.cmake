# Language level, warnings, sanitizers, ccache and linker: the same for every target.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside its own library headers at -O2 (GCC bugs 105329, 105651, 106199).
  add_compile_options(-Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized)
  # And this in Asio's coroutine frames at -O2, where it inlines their operator new and not their operator delete.
  add_compile_options(-Wno-mismatched-new-delete)
endif()

# Line tables everywhere: stack traces and profiles name file and line, and links stay short.
# Release builds meet hostile peers: what Debian's own packages are hardened with.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")  # sanitized builds: quick enough to run, quick to compile

# What optimising costs more time than it saves: tests everywhere, and in a sanitized build what does input and output
# (most of the time that a coroutine on Asio takes to compile goes there). sluice_unoptimised(TARGET...)
function(sluice_unoptimised)
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE -O0 -U_FORTIFY_SOURCE)
  endforeach()
endfunction()

if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
  if(SLUICE_SANITIZE MATCHES "undefined")
    add_compile_definitions(SLUICE_UBSAN)
  endif()
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Sloppiness: what ccache's manual asks for with precompiled headers. Base folder and no hashed folder: one build
  # folder's results serve another with the same flags; debug information then names the folder that compiled first.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  else()
    add_compile_options(-fpch-preprocess)
  endif()
endif()

# All symbols are bound at the start: the table of them is read-only from then on, and a look-up at a first call
# does not leave the registers, which may hold a secret, on the stack.
add_link_options(-Wl,-z,relro,-z,now)

find_program(LLD NAMES ld.lld-19 ld.lld)
if(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()
