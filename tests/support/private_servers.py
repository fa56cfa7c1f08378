"""Data in the private servers: written, and read again."""

from contextlib import closing
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
import redis

from docserver.embedded import Endpoints

WRITTEN = (("Grüße",), [b"one"])


def database(endpoints: Endpoints) -> pymysql.Connection:
    (socket,) = parse_qs(urlsplit(endpoints.mysql_url).query)["unix_socket"]
    return pymysql.connect(unix_socket=socket, user="root", autocommit=True)


def store(endpoints: Endpoints) -> redis.Redis:
    return redis.Redis(unix_socket_path=unquote(urlsplit(endpoints.redis_url).path))


def write(endpoints: Endpoints) -> None:
    with closing(database(endpoints)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE kept")
        cursor.execute("CREATE TABLE kept.words (word VARCHAR(20)) ENGINE=InnoDB")
        cursor.execute("INSERT INTO kept.words VALUES ('Grüße')")
    with closing(store(endpoints)) as client:
        client.rpush("kept", "one")


def read(endpoints: Endpoints) -> tuple[object, object]:
    with closing(database(endpoints)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT word FROM kept.words")
        row = cursor.fetchone()
    with closing(store(endpoints)) as client:
        return row, client.lrange("kept", 0, -1)
