"""A newt."""


class Pond:
    depth = 1

    def newt(self, age):
	return f"{age} years"  # Ärger, 東京


async def main(): ...
