# SPDX-License-Identifier: Apache-2.0
#
# complete.zsh FOLDER LINE - what a real zsh makes of LINE when Tab is pressed at its end; FOLDER
# holds _masksketch. A second zsh is typed to on a terminal of its own; a key writes its line to a
# file, so that nothing is read from the screen.
zmodload zsh/zpty || exit 77
folder=$1
rm -f $folder/told $folder/ready
zpty -b shell zsh -f -i
zpty -w shell "PS1=; fpath=($folder \$fpath); autoload -Uz compinit; compinit -u -D; \
bindkey '^I' complete-word; tell() { print -r -- \"\$BUFFER\" >$folder/told; BUFFER=exit; zle accept-line }; \
zle -N tell; bindkey '^X' tell; : >$folder/ready"
for try in {1..600}; do [[ -e $folder/ready ]] && break; sleep 0.1; done
zpty -w -n shell "$2"$'\t'$'\x18'
# what it prints is taken from it, or it would wait
for try in {1..600}; do [[ -s $folder/told ]] && break; zpty -r -t shell screen '*' >/dev/null 2>&1; sleep 0.1; done
cat $folder/told
