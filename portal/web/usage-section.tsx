import type { AnswerFeed } from './answer-feed.ts'
import { AnswerSection } from './answer-section.tsx'
import type { Usage } from './answers.ts'
import { reportUsageLine } from './curl-lines.ts'
import { EmptyNotice } from './empty-notice.tsx'
import { UsageTable } from './usage-table.tsx'

/** Usage by tenant, meter and month. */
export const UsageSection = ({ feed }: { feed: AnswerFeed<Usage> }) => (
  <AnswerSection id="usage" title="Usage by tenant" feed={feed}>
    {({ rows }) =>
      rows.length === 0 ? (
        <EmptyNotice
          why="No usage yet: nothing has been reported for this organisation."
          advice="Report one unit; it shows here within seconds:"
          line={reportUsageLine}
        />
      ) : (
        <UsageTable rows={rows} />
      )
    }
  </AnswerSection>
)
