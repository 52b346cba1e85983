"""The description of both listeners: OpenAPI 3.1, assembled from routes and what stands at handlers.

A handler is described where it is defined; its docstring's first line is the summary, the rest tells more:

    @described("calls", query=FILTERS, answers={200: JSON(CallPage)}, problems={404: ["unknown-call"]})
    async def list_calls(self, request: web.Request) -> web.StreamResponse:
        \"\"\"The calls, the latest first.\"\"\"

`router.web.query.read` reads a query as these parameters tell, and refuses what they do not.

Types are TypedDicts (of `typing_extensions`) or pydantic models; `router.schema` names their fields' formats.
What every route of a listener may answer (429, 503, …) is told once, where the listener is. A handler whose
answer is a page for people is marked `@page`; a test refuses a route that is neither.
"""
