# Warnings, sanitizers and the two functions every folder uses.

add_library(manyarch_options INTERFACE)
target_compile_options(manyarch_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wcast-qual -Wimplicit-fallthrough -Werror)
target_include_directories(manyarch_options INTERFACE ${CMAKE_SOURCE_DIR})
if(MANYARCH_SANITIZE)
  target_compile_options(manyarch_options INTERFACE
    -fsanitize=${MANYARCH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(manyarch_options INTERFACE -fsanitize=${MANYARCH_SANITIZE})
endif()

# Many programs with the same large libraries: a fast linker saves minutes.
find_program(MANYARCH_LLD ld.lld)
if(MANYARCH_LLD)
  add_link_options(-fuse-ld=lld)
endif()

find_package(Threads REQUIRED)
find_package(absl REQUIRED CONFIG)
find_package(OpenSSL REQUIRED)
find_package(spdlog REQUIRED CONFIG)
find_package(nlohmann_json REQUIRED CONFIG)
find_package(GTest REQUIRED)

# manyarch_library(<name> SRCS a.cc b.cc DEPS x y): one library a folder, linked as manyarch::<name>.
function(manyarch_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_library(manyarch_${name} STATIC ${ARG_SRCS})
  add_library(manyarch::${name} ALIAS manyarch_${name})
  target_link_libraries(manyarch_${name} PUBLIC ${ARG_DEPS} PRIVATE manyarch_options)
  target_include_directories(manyarch_${name} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# What the sanitizer builds build: the tests that need no other program.
add_custom_target(unit_tests)

# manyarch_test(<name> SRCS a_test.cc DEPS x LABELS unit [ARGS ...] [TIMEOUT s]): one test binary, one ctest entry.
function(manyarch_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SRCS;DEPS;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main manyarch_options)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  if(ARG_LABELS MATCHES "unit|sim")
    add_dependencies(unit_tests ${name})
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
