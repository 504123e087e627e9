// Node's own EventSource, behind --experimental-eventsource.

import { listen, url } from './listen.mjs';

listen(new EventSource(url));
