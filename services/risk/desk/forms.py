"""Forms as browsers send them."""

from urllib.parse import parse_qs

from fastapi import Request

MAX_FIELDS = 40


async def read_form(request: Request) -> dict[str, str] | None:
    """Each field's first value; None where the body is no form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    try:
        fields = parse_qs(
            (await request.body()).decode(),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError:
        return None
    # Browsers end the lines of a text area with CR LF.
    return {name: values[0].replace("\r\n", "\n") for name, values in fields.items()}
