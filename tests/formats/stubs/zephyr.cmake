# The functions of Zephyr's build system that a module of ours calls, by its documentation ("CMake helper functions",
# cmake/modules/extensions.cmake): a library that is the current one, and include directories of all.
macro(zephyr_library_named name)
    set(ZEPHYR_CURRENT_LIBRARY ${name})
    add_library(${name} STATIC "")
endmacro()

function(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()

function(zephyr_library_compile_options)
    target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()

function(zephyr_include_directories)
    foreach(path ${ARGN})
        get_filename_component(absolute ${path} ABSOLUTE)
        target_include_directories(zephyr_interface INTERFACE ${absolute})
    endforeach()
    link_libraries(zephyr_interface)
    if(ZEPHYR_CURRENT_LIBRARY)
        target_link_libraries(${ZEPHYR_CURRENT_LIBRARY} PRIVATE zephyr_interface)
    endif()
endfunction()
