import { useCallback, useState } from 'react'
import { storedToken, storeToken } from './access-token.ts'
import type { AnswerFeed } from './answer-feed.ts'
import type { Packages, Revenue, Usage } from './answers.ts'
import { PackagesSection } from './packages-section.tsx'
import { RevenueSection } from './revenue-section.tsx'
import { TokenControl } from './token-control.tsx'
import { UsageSection } from './usage-section.tsx'
import { useRefreshLoop } from './use-refresh-loop.ts'

export type Feeds = { revenue: AnswerFeed<Revenue>; usage: AnswerFeed<Usage>; packages: AnswerFeed<Packages> }

const sessionStore = () => window.sessionStorage

/** The first page: what was earned, what was used, what was judged. It reads and never writes. */
export const Page = ({ feeds }: { feeds: Feeds }) => {
  const [token, setToken] = useState(() => storedToken(sessionStore))
  const [paused, setPaused] = useState(false)
  const [said, setSaid] = useState('')
  const refreshAll = useCallback(
    () => Promise.all([feeds.revenue.refresh(), feeds.usage.refresh(), feeds.packages.refresh()]),
    [feeds],
  )
  const refreshQuietly = useCallback(() => void refreshAll(), [refreshAll])
  useRefreshLoop(refreshQuietly, paused)

  const refreshAloud = () => {
    setSaid('Refreshing.')
    void refreshAll().then(() => {
      const failed = Object.values(feeds).some((feed) => feed.snapshot().problem !== null)
      setSaid(failed ? 'Refreshed, with problems.' : 'Refreshed.')
    })
  }
  const askAs = (next: string) => {
    storeToken(sessionStore, next)
    setToken(next)
    for (const feed of Object.values(feeds)) void feed.setToken(next)
  }

  return (
    <>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header>
        <div className="bar-top">
          <h1>ATOM Cloud Marketplace</h1>
          <nav aria-label="Sections">
            <a href="#revenue">Revenue</a>
            <a href="#usage">Usage</a>
            <a href="#packages">Packages</a>
          </nav>
          <div className="controls">
            <TokenControl token={token} onToken={askAs} />
            <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
              Pause updates
            </button>
            <button type="button" className="main-action" onClick={refreshAloud}>
              Refresh
            </button>
            <span role="status" className="unseen">
              {said}
            </span>
          </div>
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        <RevenueSection feed={feeds.revenue} />
        <UsageSection feed={feeds.usage} />
        <PackagesSection feed={feeds.packages} />
      </main>
      <footer>
        <p>
          Times and months are UTC. The page asks again every 5 s while it is visible{paused ? ', now paused' : ''}.
        </p>
      </footer>
    </>
  )
}
