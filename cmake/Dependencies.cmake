# Third-party libraries, each as one imported target. Versions are Debian 12's and its backports'.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Boost 1.83 REQUIRED COMPONENTS json)
find_package(CLI11 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(spdlog REQUIRED)
find_package(GTest REQUIRED)
pkg_check_modules(nice REQUIRED IMPORTED_TARGET nice)
pkg_check_modules(usrsctp REQUIRED IMPORTED_TARGET usrsctp)
# Their -pthread only adds macros that nothing here reads, and clang takes no precompiled header that lacks it.
set_target_properties(PkgConfig::nice PkgConfig::usrsctp PROPERTIES INTERFACE_COMPILE_OPTIONS "")
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus>=3.3)
find_library(RAPIDCHECK rapidcheck REQUIRED)

# Asio and Beast as every file of ours sees them: no deprecated names, no implicit epoll tuning, headers only.
add_library(sluice_asio INTERFACE)
target_link_libraries(sluice_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(sluice_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
