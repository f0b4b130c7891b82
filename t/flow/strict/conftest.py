"""One gatehouse for all rows of a module, with small limits, and the judges of
both directions."""
import pytest

from lib.strict import INI, AnswerJudge, AnswerOrigin, AskJudge


def answer(conn, request):
    """200 with a content, except to HEAD."""
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" +
              (b"" if request.method == "HEAD" else b"ok"))


@pytest.fixture(scope="module")
def judge_ask(shared_gatehouse, shared_origin):
    """judge_ask(row): send an Ask and judge by what the origin saw."""
    o = shared_origin(answer)
    return AskJudge(shared_gatehouse(INI, origin=o.address), o)


@pytest.fixture(scope="module")
def judge_answer(shared_gatehouse, shared_origin):
    """judge_answer(row): let the origin answer so and judge by what the client
    got and by how the origin's connection fared."""
    script = AnswerOrigin()
    o = shared_origin(script)
    gh = shared_gatehouse(INI, origin=o.address)
    return AnswerJudge(gh, o, script)
