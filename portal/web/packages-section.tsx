import type { AnswerFeed } from './answer-feed.ts'
import { AnswerSection } from './answer-section.tsx'
import type { Packages } from './answers.ts'
import { uploadPackageLine } from './curl-lines.ts'
import { EmptyNotice } from './empty-notice.tsx'
import { PackagesTable } from './packages-table.tsx'

/** Package versions with what the analyzer and the reviewers made of them. */
export const PackagesSection = ({ feed }: { feed: AnswerFeed<Packages> }) => (
  <AnswerSection id="packages" title="Packages and verdicts" feed={feed}>
    {({ packages }) =>
      packages.length === 0 ? (
        <EmptyNotice
          why="No packages yet: none has been published and this organisation has uploaded none."
          advice="Upload a signed package; its status and verdict show here within seconds:"
          line={uploadPackageLine}
        />
      ) : (
        <PackagesTable packages={packages} />
      )
    }
  </AnswerSection>
)
