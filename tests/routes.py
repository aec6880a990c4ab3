"""Every route, and the function behind it: those of both contracts, and those that ask for no key."""

ROUTES = {
    "POST /download": "create_download",
    "POST /api/download": "create_download",
    "GET /download/{id}": "get_status",
    "GET /async-response/{id}": "get_status",
    "GET /api/download/{id}/file": "get_status",
    "GET /api/thumbnails/{id}": "get_status",
    "GET /updates": "get_status",
    "GET /download": "list_downloads",
    "GET /api/downloads": "list_downloads",
    "POST /download/{id}": "retry_download",
    "DELETE /download/{id}": "delete_download",
    "DELETE /download": "delete_download",
    "DELETE /api/downloads/{id}": "delete_download",
    "DELETE /api/downloads/{id}/remove": "delete_download",
    "POST /api/info": "inspect_source",
}
OPEN_ROUTES = {
    "GET /openapi.json": "docs",
    "GET /docs": "docs",
    "GET /docs/{file}": "docs",
    "GET /health": "docs",
    "GET /": "page",
    "HEAD /": "page",
    "GET /assets/{file}": "page",
    "HEAD /assets/{file}": "page",
    "$default": "docs",  # whatever is none of the others
}
