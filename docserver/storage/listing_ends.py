"""Whether a list of objects has ended, as the bucket itself says.

The library that lists objects takes all XML for a list, so a page of HTML is the end of a list for it.
"""

import errno
import re
import time
from html import unescape
from itertools import chain, islice

from docserver.backoff import doubling
from docserver.storage import BucketError
from docserver.storage.multipart_uploads import MultipartUploads

PAUSES_S = 0.1, 2.0
"""First and longest pause before the bucket is asked again, which may only throttle."""

TIMES = 5
"""How often it is asked."""

_KEY = re.compile("<Key>(.*?)</Key>", re.DOTALL)


def has_more(requests: MultipartUploads, prefix: str, *, after: str) -> bool:
    """True if there are objects below a prefix whose keys follow this one, which is empty if there was none. Both are
    below the prefix of the bucket's URL. Blocks; raises BucketError.
    """
    own = f"{requests.prefix}/".lstrip("/")
    query = {"list-type": "2", "max-keys": "2", "prefix": f"{own}{prefix}/"}
    if after:
        query["start-after"] = f"{own}{after}"
    fault = BucketError(errno.EIO, "the bucket answers a request (list) with something that is no list")
    for pause_s in chain([0.0], islice(doubling(*PAUSES_S), TIMES - 1)):
        time.sleep(pause_s)
        try:
            text = requests.send("GET", query=query)
        except BucketError as error:
            fault = error
            continue
        if "<ListBucketResult" in text:
            # Consoles mark folders by objects that the library lists without the slash at the end of their keys.
            return any(unescape(key) != f"{own}{after}/" for key in _KEY.findall(text))
    raise fault
