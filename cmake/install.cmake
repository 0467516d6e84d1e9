# What `cmake --install` puts in place: the programs, and manual pages and completions made of the
# same description that --help prints.
include(GNUInstallDirs)

set(share ${CMAKE_BINARY_DIR}/share)
add_custom_command(
  OUTPUT ${share}/stamp
  COMMAND manyarch __man ${share}/man1
  COMMAND manyarch-controller --man-pages ${share}/man1
  COMMAND manyarch-worker --man-pages ${share}/man1
  COMMAND manyarch completion bash > ${share}/manyarch.bash
  COMMAND manyarch completion zsh > ${share}/_manyarch
  COMMAND manyarch completion fish > ${share}/manyarch.fish
  COMMAND ${CMAKE_COMMAND} -E touch ${share}/stamp
  DEPENDS manyarch manyarch-controller manyarch-worker
  COMMENT "Writing manual pages and completions"
  VERBATIM)
# Sanitizer builds only run tests.
if(MANYARCH_SANITIZE)
  add_custom_target(manuals DEPENDS ${share}/stamp)
else()
  add_custom_target(manuals ALL DEPENDS ${share}/stamp)
endif()

install(TARGETS manyarch manyarch-controller manyarch-worker)
install(DIRECTORY ${share}/man1/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${share}/manyarch.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME manyarch)
install(FILES ${share}/_manyarch DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${share}/manyarch.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
