import { createRoot } from 'react-dom/client'
import { storedToken } from './access-token.ts'
import { answerFeed } from './answer-feed.ts'
import { readPackages, readRevenue, readUsage } from './answers.ts'
import { fetchAnswer } from './fetch-answer.ts'
import { type Feeds, Page } from './page.tsx'

const feedOf = <T,>(path: string, read: (body: unknown) => T) =>
  answerFeed<T>((token, signal) => fetchAnswer({ fetch: window.fetch.bind(window), path, read, token, signal }))

const feeds: Feeds = {
  revenue: feedOf('/analytics/revenue', readRevenue),
  usage: feedOf('/analytics/usage', readUsage),
  packages: feedOf('/analytics/packages', readPackages),
}

// The first questions leave before the first drawing: they take longer than React does.
const token = storedToken(() => window.sessionStorage)
for (const feed of Object.values(feeds)) void feed.setToken(token)

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no element with the id root')
createRoot(root).render(<Page feeds={feeds} />)
