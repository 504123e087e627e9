// npm's `eventsource`.

import { EventSource } from 'eventsource';
import { listen, url } from './listen.mjs';

listen(new EventSource(url));
