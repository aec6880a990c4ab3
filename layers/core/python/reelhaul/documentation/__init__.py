"""What the HTTP contracts look like to a program, in the words of OpenAPI 3.1 and JSON Schema 2020-12. Pure data.

Built from the constants that the contracts themselves check with. `infra.openapi` puts it together with the routes of
the handlers into one document; nothing here is deployed.
"""
