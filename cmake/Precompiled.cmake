# Precompiled headers, each made once for a build folder and shared by every target that names it. A file must still
# include what it uses: the header check and the layer check know nothing of these.

# sluice_pch(NAME HEADERS header... LINK lib...)
function(sluice_pch name)
  cmake_parse_arguments(PCH "" "" "HEADERS;LINK" ${ARGN})
  set(source ${CMAKE_BINARY_DIR}/pch/${name}.cpp)
  file(GENERATE OUTPUT ${source} CONTENT "// Only the owner of a precompiled header.\n")
  add_library(pch_${name} OBJECT EXCLUDE_FROM_ALL ${source})
  target_link_libraries(pch_${name} PRIVATE ${PCH_LINK})
  target_precompile_headers(pch_${name} PRIVATE ${PCH_HEADERS})
endfunction()

set(asio <boost/asio.hpp> <boost/asio/experimental/awaitable_operators.hpp>)
set(gtest <gtest/gtest.h> <rapidcheck.h>)
sluice_pch(asio HEADERS ${asio} LINK sluice_asio)
sluice_pch(gtest HEADERS ${gtest} LINK GTest::gmock)
sluice_pch(gtest_asio HEADERS ${gtest} ${asio} LINK GTest::gmock sluice_asio)
sluice_unoptimised(pch_gtest pch_gtest_asio)
if(SLUICE_SANITIZE)
  sluice_unoptimised(pch_asio)
endif()
