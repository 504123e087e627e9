export { Tidings } from './tidings.js';
export {
  TidingsError,
  type End,
  type Gap,
  type Member,
  type Options,
  type OwnEvents,
  type Presence,
  type State,
  type TidingsEvent,
} from './types.js';
