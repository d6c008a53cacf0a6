# SPDX-License-Identifier: Apache-2.0
"""The page at /docs in a browser: what it shows, and requests that are sent from it."""

import json
import logging
import unittest
import urllib.parse

import chromium
from flow_process import SharedFlow

# unittest runs its loop in debug mode, which complains of each step that takes 100 ms: starting
# a Flow is one.
logging.getLogger("asyncio").setLevel(logging.ERROR)


def operation(path, method="post"):
    """The block of the page that is about one path."""
    return f'.opblock-{method}:has(.opblock-summary-path[data-path="{path}"])'


@unittest.skipUnless(chromium.find(), f"none of {', '.join(chromium.NAMES)} is installed; see "
                                      "scripts/install-dependencies")
class DocsPage(SharedFlow, unittest.IsolatedAsyncioTestCase):
    executors = '[[executors]]\nname = "normalize"\nuses = "text-normalize"\n'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(super().tearDownClass)
        cls.chromium = chromium.Chromium()

    @classmethod
    def tearDownClass(cls):
        cls.chromium.end()

    async def asyncSetUp(self):
        self.page = await self.enterAsyncContext(chromium.Page(self.chromium))
        self.origin = f"http://127.0.0.1:{self.flow.port}"
        await self.page.open(f"{self.origin}/docs")

    def need_swagger_ui(self):
        if self.flow.http("/docs/swagger-ui-bundle.js")[0] == 404:
            self.skipTest("built without Swagger UI (FLOW_DOCS_PAGE): nothing to send with")

    async def send(self, path, body):
        """Opens a path on the page and sends it a body; gives what the page then says."""
        block = operation(path)
        await self.page.click(f"{block} .opblock-summary-control")
        await self.page.write(f"{block} textarea.body-param__text", body)
        await self.page.click(f"{block} button.execute")
        answer = f"{block} .live-responses-table .response"
        return (await self.page.text(f"{answer} .response-col_status"),
                await self.page.text(f"{answer} .response-col_description .highlight-code"))

    async def test_names_what_is_served(self):
        for path in ("/post", "/index", "/search", "/update", "/delete"):
            await self.page.wait_until(
                f"{path} to be shown",
                f"document.body.innerText.replaceAll('\\u200b', '').includes({json.dumps(path)})")
        self.assertEqual(self.page.exceptions, [])

    async def test_shows_the_answer_of_an_executor_to_a_request_that_is_sent_from_it(self):
        self.need_swagger_ui()
        for path in ("/post", "/index"):
            status, answer = await self.send(
                path, '{"data": [{"text": "  Grüße\\n  aus dem Browser "}]}')
            self.assertEqual(status.strip(), "200")
            self.assertIn('"text": "grüsse aus dem browser"', answer)
            self.assertIn('"executor": "normalize"', answer)
        self.assertEqual(self.page.exceptions, [])

    async def test_shows_why_a_request_is_refused(self):
        self.need_swagger_ui()
        status, answer = await self.send("/post", '{"data": [')
        self.assertTrue(status.strip().startswith("422"), status)
        self.assertIn("Expecting value: line 1 column 11 (char 10)", answer)

    async def test_asks_nobody_but_the_gateway(self):
        self.need_swagger_ui()
        await self.send("/post", "{}")
        asked = {urllib.parse.urlsplit(url)._replace(query="").geturl()
                 for url in self.page.requests}
        for path in ("/docs", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js",
                     "/openapi.json", "/post"):
            self.assertIn(self.origin + path, asked)
        # What a page brings along as a "data:" address is asked of nobody.
        elsewhere = [url for url in self.page.requests
                     if not url.startswith((f"{self.origin}/", "data:"))]
        self.assertEqual(elsewhere, [])


if __name__ == "__main__":
    unittest.main()
