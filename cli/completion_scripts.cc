#include "cli/complete.h"

namespace manyarch::cli {

namespace {

// Bash takes "--format=json" for three words, because of COMP_WORDBREAKS; they are put together
// again, and what stands before the last break is taken off the candidates.
constexpr char kBash[] = R"sh(# bash completion for manyarch: source <(manyarch completion bash)
_manyarch() {
  local -a words=()
  local i word glued= last=${COMP_WORDS[COMP_CWORD]} line candidate prefix
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((${#words[@]})) && [[ -n $glued || $word == [=:]* ]]; then
      words[${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
    glued=
    [[ $word == *[=:] ]] && glued=yes
  done
  [[ $last == [=:]* ]] && last=
  prefix=${words[${#words[@]}-1]}
  prefix=${prefix%"$last"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files)
        compopt -o filenames
        while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -f -- "$last") ;;
      :directories)
        compopt -o filenames
        while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -d -- "$last") ;;
      *)
        candidate=${line%%$'\t'*}
        COMPREPLY+=("${candidate#"$prefix"}") ;;
    esac
  done < <("$1" __complete -- "${words[@]}" 2>/dev/null)
}
complete -F _manyarch manyarch
)sh";

constexpr char kZsh[] = R"sh(#compdef manyarch
# zsh completion for manyarch: source <(manyarch completion zsh), or save it as _manyarch in a
# folder of $fpath.
_manyarch() {
  local line candidate paths=
  local -a candidates
  for line in "${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files) paths=files ;;
      :directories) paths=directories ;;
      *$'\t'*) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
      *) candidates+=("${line//:/\\:}") ;;
    esac
  done
  (( ${#candidates} )) && _describe 'manyarch' candidates
  case $paths in
    files) _files ;;
    directories) _files -/ ;;
  esac
}
if [ "${funcstack[1]}" = _manyarch ]; then _manyarch "$@"; else compdef _manyarch manyarch; fi
)sh";

constexpr char kFish[] = R"sh(# fish completion for manyarch: manyarch completion fish | source
function __manyarch_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path (commandline -ct)
      case ':directories'
        __fish_complete_directories (commandline -ct)
      case '*'
        echo $line
    end
  end
end
complete -c manyarch -f -a '(__manyarch_complete)'
)sh";

}  // namespace

std::string CompletionScript(const std::string& shell) {
  if (shell == "zsh") return kZsh;
  return shell == "fish" ? kFish : kBash;
}

}  // namespace manyarch::cli
