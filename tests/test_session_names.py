"""What one session does ends those on other servers, although each server counts from one."""

from unittest import TestCase

from tests.party import Party
from tests.server import serving
from tests.valkey import running


class TwoServersTest(TestCase):
    def test_a_new_password_ends_the_session_of_the_same_number_on_another_server(self) -> None:
        with (
            running() as store,
            serving("--store", store.url) as one,
            serving("--store", store.url) as other,
            Party(one.port) as here,
            Party(other.port) as there,
        ):
            user = here.user()
            changing = here.current(user)
            # One of these has the same number there, whatever was counted before.
            ending = [there.current(user) for _ in range(8)]
            changing.get("PasswordMes", userPwd=user.password, newPwd="another-password")
            for each in ending:
                each.expect("ByeMes", code=403)
