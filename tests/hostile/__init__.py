"""The downloader's real worker in a world where every source means harm: `make hostile`.

That world is a network namespace with no way out, and in it a DNS server, sources and canaries. A canary answers at an
address of the inside, and counts; all that this is about is that none of them is ever asked.
"""
