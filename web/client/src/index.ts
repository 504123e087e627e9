export { Parser, TooLarge, MAX_EVENT, type Block, type Sink } from './parser.js';
