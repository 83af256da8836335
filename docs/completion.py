"""Completion for bash, and for zsh with bashcompinit: every command and option, from their tables.

docs/generate.py writes it, and a test compares.
"""

import argparse
import shlex
from collections.abc import Iterator

from chat.admin.cli import build_parser
from chat.admin.words import Words
from chat.server.kinds import Kind
from chat.server.settings import options
from docs import manual

__all__ = ["script"]

FILES = ("FILE", "DIR")

Known = dict[str, str]
"""What may stand somewhere, and what has to stand behind it: words, ``FILE``, ``-`` for what
nobody can guess, or nothing."""


def script() -> str:
    """docs/chatroom.bash."""
    words, values = [], []
    for program, known in _programs():
        words.append(_case(program, " ".join(known)))
        values += [_case(f"{program} {word}", value) for word, value in known.items() if value]
    return _SCRIPT.replace("@WORDS@", "\n".join(words)).replace("@VALUES@", "\n".join(values))


def _case(where: str, what: str) -> str:
    return f"        {shlex.quote(where)}) echo {shlex.quote(what)} ;;"


def _programs() -> Iterator[tuple[str, Known]]:
    admin = manual.with_commands("chatroom admin", build_parser(Words("en")))
    for program, parser in [*manual.programs(), *admin]:
        known: Known = {}
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                known |= dict.fromkeys(action.choices, "")
            else:
                known |= {each: _value(action) for each in action.option_strings if each[1] == "-"}
                known |= dict.fromkeys(() if action.option_strings else action.choices or (), "")
        yield program, known | ({"admin": ""} if program == "chatroom" else {})
    server = {f"--{name}": _form(each.metadata["kind"]) for name, each in options().items()}
    own = {"--help": "", "--version": "", "--config": "FILE", "--check-config": ""}
    yield "twistd chatroom", own | server


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices:
        return " ".join(map(str, action.choices))
    return "FILE" if action.metavar in FILES else "-"


def _form(kind: Kind) -> str:
    if kind.flag:
        return ""
    if kind.form.islower() and "|" in kind.form:
        return kind.form.replace("|", " ")
    return "FILE" if kind.form in FILES else "-"


_SCRIPT = """\
# Completion of chatroom, chatroom admin and twistd chatroom for bash; docs/generate.py writes it.
# In zsh: autoload -U +X bashcompinit && bashcompinit, then source this file.

_chatroom_words() {
    case $1 in
@WORDS@
    esac
}

_chatroom_values() {
    case $1 in
@VALUES@
    esac
}

_chatroom_complete() {
    local program=$1 word i
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ $word != -* && -n $(_chatroom_words "$program $word") ]] && program="$program $word"
    done
    local values=$(_chatroom_values "$program $before")
    case $values in
        FILE) COMPREPLY=($(compgen -f -- "$current")) ;;
        -) COMPREPLY=() ;;
        ?*) COMPREPLY=($(compgen -W "$values" -- "$current")) ;;
        *) COMPREPLY=($(compgen -W "$(_chatroom_words "$program")" -- "$current")) ;;
    esac
}

_chatroom() { _chatroom_complete chatroom; }

_chatroom_twistd() {
    COMPREPLY=()
    [[ " ${COMP_WORDS[*]:0:COMP_CWORD} " != *" chatroom "* ]] || _chatroom_complete twistd
}

complete -o default -F _chatroom chatroom
complete -o default -F _chatroom_twistd twistd
"""
