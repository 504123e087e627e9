// The name of a topic, which leads to it.

import { hrefOf } from '../app/route';
import { useText } from '../text';

export function TopicLink({ topic }: { topic: string }) {
  const { t } = useText();
  return <a class="topic" href={hrefOf({ view: 'live', topic })} title={t.topics.open(topic)}>{topic}</a>;
}
