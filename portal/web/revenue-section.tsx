import { useId, useState } from 'react'
import type { AnswerFeed } from './answer-feed.ts'
import { AnswerSection } from './answer-section.tsx'
import type { Revenue } from './answers.ts'
import { readInvoiceLine } from './curl-lines.ts'
import { EmptyNotice } from './empty-notice.tsx'
import { RevenueChart } from './revenue-chart.tsx'
import { revenueSummary } from './revenue-summary.ts'
import { RevenueTable } from './revenue-table.tsx'

/** Revenue by month, as a chart or as its table. */
export const RevenueSection = ({ feed }: { feed: AnswerFeed<Revenue> }) => {
  const [asTable, setAsTable] = useState(false)
  const viewId = useId()
  return (
    <AnswerSection
      id="revenue"
      title="Revenue"
      feed={feed}
      tools={({ months }) =>
        months.length > 0 && (
          <button type="button" aria-controls={viewId} onClick={() => setAsTable(!asTable)}>
            {asTable ? 'Show as chart' : 'Show as table'}
          </button>
        )
      }
    >
      {({ months, currency }) => {
        if (months.length === 0)
          return (
            <EmptyNotice
              why="No revenue yet: no invoice of this organisation has a priced line."
              advice="Usage of a subscribed package becomes revenue as soon as it is rated. This line shows what the running invoice holds:"
              line={readInvoiceLine}
            />
          )
        const summary = revenueSummary(months, currency)
        return (
          <div id={viewId} className="view">
            <p className="summary">{summary}</p>
            {asTable ? (
              <RevenueTable months={months} currency={currency} />
            ) : (
              <RevenueChart months={months} summary={summary} />
            )}
          </div>
        )
      }}
    </AnswerSection>
  )
}
