"""The program around a script: it enters the sandbox, and watches over the script in there.

It runs as a process of its own under the name `launcher`, without the packages above it and with little
of the standard library, because each import makes every script start later.
"""
