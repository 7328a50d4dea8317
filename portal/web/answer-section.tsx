import { type ReactNode, useSyncExternalStore } from 'react'
import type { AnswerFeed, AnswerState } from './answer-feed.ts'
import type { Freshness as Figures } from './answers.ts'
import { Freshness } from './freshness.tsx'
import { ProblemNotice } from './problem-notice.tsx'

type Props<T extends Figures> = {
  id: string
  title: string
  feed: AnswerFeed<T>
  /** Controls beside the heading, once there is an answer. */
  tools?: (data: T) => ReactNode
  children: (data: T) => ReactNode
}

/** One section of the page around one answer: heading, age, problem, and the figures or their outline. */
export const AnswerSection = <T extends Figures>({ id, title, feed, tools, children }: Props<T>) => {
  const { data, problem, loading }: AnswerState<T> = useSyncExternalStore(feed.subscribe, feed.snapshot)
  return (
    <section id={id} aria-labelledby={`${id}-title`} aria-busy={loading && data === null} tabIndex={-1}>
      <div className="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {data !== null && <Freshness figures={data} />}
        {data !== null && tools?.(data)}
      </div>
      {problem !== null && (
        <ProblemNotice
          subject={title}
          problem={problem}
          hasOldFigures={data !== null}
          busy={loading}
          onRetry={() => void feed.refresh()}
        />
      )}
      {data !== null && children(data)}
      {data === null && problem === null && <p className="outline">Loading…</p>}
    </section>
  )
}
