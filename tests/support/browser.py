"""A headless Chromium, driven by the Chrome DevTools protocol. Notes what a page asks for and what it complains of."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.waiting import in_time

OPTIONS = (
    "--headless=new",
    # The tests may run as root, for whom Chromium has no sandbox. It opens only pages of the service under test.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-port=0",
    # With more room for new objects, the garbage collector runs less often. It takes a tenth of the CPU time.
    "--js-flags=--min-semi-space-size=64 --max-semi-space-size=128",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)

UNTIL = """new Promise(resolve => {
    const look = () => {
        const found = (%s);
        if (found) { watch.disconnect(); resolve(found.nodeType ? true : found); }
    };
    const watch = new MutationObserver(look);
    watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    look();
})"""
"""Resolves with what the expression gives, as soon as that is true; with true, if it is an element."""


class Tab:
    """A page in the browser. `requests` are the addresses that it asked for, `complaints` its errors."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._loaded = asyncio.Event()

    async def listen(self) -> None:
        """Take what the browser says, until it ends."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
                continue
            params = said["params"]
            match said["method"]:
                case "Page.loadEventFired":
                    self._loaded.set()
                case "Network.requestWillBeSent":
                    self.requests.append(params["request"]["url"])
                case "Runtime.exceptionThrown":
                    self.complaints.append(str(params["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
                    self.complaints.append(str(params["args"]))
                case "Log.entryAdded" if params["entry"]["level"] == "error":
                    self.complaints.append(str(params["entry"]))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What a method of the protocol returns."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with in_time():
            said = await answer
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, address: str) -> None:
        """Load a page."""
        for domain in ("Network", "Runtime", "Log", "DOM", "Page"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=address)
        async with in_time():
            await self._loaded.wait()

    async def run(self, expression: str) -> Any:
        """What a JavaScript expression gives, once it is there."""
        said = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until a JavaScript expression is true; returns what it gives."""
        return await self.run(UNTIL % expression)

    async def click(self, selector: str) -> None:
        """Click an element, once it is there."""
        await self.until(f"document.querySelector({selector!r})")
        await self.run(f"document.querySelector({selector!r}).click()")

    async def type(self, selector: str, text: str) -> None:
        """Type into an element, once it is there, and leave it."""
        await self.until(f"document.querySelector({selector!r})")
        await self.run(f"document.querySelector({selector!r}).focus()")
        await self.call("Input.insertText", text=text)
        await self.run(f"document.querySelector({selector!r}).blur()")

    async def choose(self, selector: str, value: str) -> None:
        """Choose a value in a list, once it is there."""
        await self.until(f"document.querySelector({selector!r})")
        await self.run(
            f"(list => {{ list.value = {value!r}; list.dispatchEvent(new Event('change', {{bubbles: true}})); }})"
            f"(document.querySelector({selector!r}))"
        )

    async def download_to(self, directory: Path) -> None:
        """Save what is downloaded from now on in a directory, without asking. A file is there once it is whole."""
        await self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(directory))

    async def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an element for that, once it is there."""
        await self.until(f"document.querySelector({selector!r})")
        root = (await self.call("DOM.getDocument"))["root"]["nodeId"]
        found = await self.call("DOM.querySelector", nodeId=root, selector=selector)
        await self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=found["nodeId"])


@asynccontextmanager
async def tab(profile: Path) -> AsyncIterator[Tab]:
    """A tab of a browser that keeps what it must in an empty directory, and ends with the block."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "make test installs chromium"
    process = await asyncio.create_subprocess_exec(
        *(program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with aiohttp.ClientSession(await _address(process)) as session:
            target = await (await session.put("/json/new")).json()
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                opened = Tab(socket)
                listening = asyncio.create_task(opened.listen())
                try:
                    yield opened
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
    finally:
        process.terminate()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    """Where the browser listens, as it says when it does."""
    assert process.stderr is not None
    async with in_time():
        async for line in process.stderr:
            if b"DevTools listening on ws://" in line:
                return "http://" + line.decode().split("ws://")[1].split("/")[0]
    raise AssertionError("the browser did not start")
