"""Forms as browsers and OAuth clients send them."""

from urllib.parse import parse_qs

from fastapi import Request

MAX_FIELDS = 20


class NotAForm(Exception):
    """The body is no `application/x-www-form-urlencoded`; the message says why."""


async def read_form(request: Request, *, max_fields: int = MAX_FIELDS) -> dict[str, list[str]]:
    """Every field with its values, empty ones too. Raises `NotAForm`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise NotAForm("The body must be application/x-www-form-urlencoded")
    try:
        return parse_qs(
            (await request.body()).decode(),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=max_fields,
            errors="strict",
        )
    except ValueError as error:
        raise NotAForm("The body is not a form") from error
