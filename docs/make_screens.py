"""Draws the pictures of the manual and the film of the README from the real program.

Run it as ``python docs/make_screens.py`` from the top of the checkout. It starts servers of its
own, lets people register and talk through the real screen in pseudo-terminals, and writes
docs/screens/*.svg, docs/session.cast (``asciinema play docs/session.cast``) and docs/session.svg.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs.pictures import Film, still
from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register

HERE = Path(__file__).resolve().parent
WIDE, NORMAL = (112, 22), (100, 22)
PORT = 8889
"""The server's own, which must be free."""

PER_KEY = 0.06
"""Seconds for each letter in the film: a quick typist."""


class People:
    """Programs that run as people, each with a home of its own."""

    def __init__(self, server: str, home: Path) -> None:
        self._server = server
        self._home = home
        self.started: list[PtyScreen] = []

    def start(self, name: str, size: tuple[int, int], language: str = "en_US.UTF-8") -> PtyScreen:
        environ = client_environ(self._home / name, language)
        screen = PtyScreen(client_command(self._server), environ, *size)
        self.started.append(screen)
        return screen

    def enter(self, name: str, size: tuple[int, int] = (80, 24)) -> PtyScreen:
        screen = self.start(name, size)
        register(screen, name)
        return screen

    def leave(self) -> None:
        for each in self.started:
            each.__exit__()


def say(screen: PtyScreen, text: str) -> None:
    """Type a line and send it."""
    screen.type(text)
    screen.wait_for(text[-6:].strip())
    screen.press("enter")


def draw(screen: PtyScreen, name: str) -> None:
    """Keep a picture of what is seen."""
    screen.rest()
    (HERE / "screens" / f"{name}.svg").write_text(still(screen.screen), encoding="utf-8")


# The film ---------------------------------------------------------------------------------------


def typed(film: Film, text: str) -> None:
    """Type in sight of everybody."""
    done = ""
    for letter in text:
        done += letter
        film.screen.type(letter)
        film.screen.wait_for(done[-6:].strip() or done)
        film.take(PER_KEY)


def film_of(people: People) -> Film:
    """A first minute: register, talk, a private word, find one's way, select, without a server."""
    ben, chen = people.enter("ben"), people.enter("陈晓明")
    say(ben, "good morning! https://example.org/release has the notes")
    say(chen, "早上好！我三点前看完，然后一起发布。")
    chen.wait_for("✓")
    anna = people.start("anna", WIDE)
    film = Film(anna)
    anna.wait_for("The server answers")
    film.take(1.5)
    anna.type("2")
    anna.wait_for("Password again")
    film.take(0.8)
    typed(film, "anna")
    for _ in range(2):
        anna.press("enter")
        film.take(0.4)
        for _ in "a secret":
            anna.type("x")
            anna.wait_for("•")
            film.take(PER_KEY)
    anna.press("enter")
    anna.wait_for("Write to #lobby")
    anna.wait_for("● ben")
    anna.wait_for("一起发布")
    film.take(2.0)
    typed(film, "great, I write the notes meanwhile :roc")
    anna.press("tab")
    anna.wait_for("🚀")
    film.take(1.0)
    anna.press("enter")
    anna.wait_for("✓")
    film.take(1.2)
    say(chen, "@anna 第三节还缺一句话")
    anna.wait_for("还缺一句话")
    film.take(1.8)
    say(ben, "/msg anna lunch at noon?")
    anna.wait_for("◐ ben" if "◐ ben" in anna.text() else "● ben")
    anna.wait_for("1 for you")
    film.take(1.2)
    anna.type("\x1ba")
    anna.wait_for("lunch at noon?")
    film.take(1.2)
    typed(film, "yes! the usual place?")
    anna.press("enter")
    anna.wait_for("✓✓")
    film.take(1.5)
    return film


def tour(film: Film, people: People, server: ServerProcess) -> None:
    """The rest of the film: finding, selecting, and a server that goes and comes."""
    anna = film.screen
    anna.press("ctrl k")
    anna.wait_for("Go to")
    film.take(0.8)
    typed(film, "lob")
    anna.press("enter")
    anna.wait_for("Write to #lobby")
    film.take(1.0)
    anna.type("\x1bv")
    anna.wait_for("y copy")
    film.take(1.0)
    for _ in range(3):
        anna.press("up")
        anna.rest()
        film.take(0.4)
    anna.type("o")
    anna.wait_for("Where it leads")
    film.take(2.0)
    anna.press("esc")
    anna.wait_gone("Where it leads")
    anna.press("esc")
    anna.wait_gone("y copy")
    server.kill()
    anna.wait_for("again in")
    film.take(1.2)
    typed(film, "sent while the server is away")
    anna.press("enter")
    anna.wait_for("◌")
    film.take(1.5)
    server.start()
    anna.press("f5")
    anna.wait_gone("◌", 30)
    film.take(3.0)


# The pictures -----------------------------------------------------------------------------------


def pictures(people: People) -> None:
    """One of each."""
    start = people.start("nobody", (80, 18))
    start.wait_for("The server answers")
    draw(start, "start")
    anna, ben = conversation(people)
    draw(anna, "main")
    finding(anna)
    selecting(anna)
    anna.resize(44, 16)
    anna.wait_for("Write to #lobby")
    draw(anna, "small")
    anna.resize(*WIDE)
    answering(anna, ben)


def conversation(people: People) -> tuple[PtyScreen, PtyScreen]:
    """What the pictures show: rooms, people, things said; the screens of two of these."""
    ben, chen = people.enter("ben"), people.enter("陈晓明")
    anna = people.enter("anna", WIDE)
    say(ben, "good morning! please give the release a last look: https://example.org/notes")
    anna.wait_for("good morning!")
    say(chen, "早上好！我三点前看完，然后一起发布。")
    anna.wait_for("一起发布")
    say(anna, "great, I write the notes meanwhile")
    say(anna, "/join #release what goes out on Friday")
    anna.wait_for("Write to #release")
    say(anna, "/join #cats")
    anna.wait_for("Write to #cats")
    say(chen, "/join #release")
    chen.wait_for("Write to #release")
    say(chen, "@anna 第三节还缺一句话")
    anna.wait_for("@1")
    say(ben, "/msg anna lunch at noon?")
    anna.wait_for("ben ")
    say(ben, "/busy")
    anna.wait_for("busy")
    anna.type("\x1b1")
    anna.wait_for("great, I write")
    say(chen, "/msg ben 你好")
    anna.type("the notes are here: ")
    anna.wait_for("the notes are here")
    return anna, ben


def finding(anna: PtyScreen) -> None:
    """The switcher, and what a search finds."""
    anna.press("ctrl c")
    anna.press("ctrl k")
    anna.type("ca")
    anna.wait_for("/ca")
    draw(anna, "switch")
    anna.press("esc")
    anna.wait_gone("/ca")
    say(anna, "/searchall the")
    anna.wait_for("found: the")
    draw(anna, "search")
    anna.press("esc")
    anna.wait_gone("found: the")


def selecting(anna: PtyScreen) -> None:
    """Selected messages, and what is known of one."""
    anna.type("\x1bv")
    anna.wait_for("y copy")
    anna.type(" ")
    anna.press("up")
    draw(anna, "select")
    anna.press("esc")
    anna.wait_for("Write to #lobby")
    anna.type("\x1bi")
    anna.wait_for("the server has it")
    draw(anna, "inspect")
    anna.press("esc")


def answering(anna: PtyScreen, ben: PtyScreen) -> None:
    """An answer, and another one that is being written."""
    say(ben, "/go lobby")
    ben.wait_for("Write to #lobby")
    say(ben, "/reply anna may I read them first?")
    anna.wait_for("┌ anna: great")
    anna.type("\x1bvr")
    anna.wait_for("Answer to ben")
    anna.type("of course, ")
    anna.wait_for("of course,")
    draw(anna, "answer")


def main() -> None:
    (HERE / "screens").mkdir(exist_ok=True)
    for play in (_draw_pictures, _make_film):
        with tempfile.TemporaryDirectory(prefix="cr-", dir="/tmp") as directory:
            # The address is on the pictures, and the server comes back at it in the film.
            server = ServerProcess("--listen", f"tcp:{PORT}:interface=127.0.0.1")
            server.start()
            people = People(f"127.0.0.1:{PORT}", Path(directory))
            try:
                play(people, server)
            finally:
                people.leave()
                server.remove()


def _draw_pictures(people: People, server: ServerProcess) -> None:
    pictures(people)


def _make_film(people: People, server: ServerProcess) -> None:
    film = film_of(people)
    tour(film, people, server)
    (HERE / "session.cast").write_text(film.cast("chatroom: a first minute"), encoding="utf-8")
    (HERE / "session.svg").write_text(film.svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
