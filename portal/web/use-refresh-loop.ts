import { useEffect } from 'react'

const EVERY_MS = 5_000

/** Calls `refresh` every 5 s while the tab is visible and `paused` is false, and at once when it is seen again. */
export const useRefreshLoop = (refresh: () => void, paused: boolean): void => {
  useEffect(() => {
    if (paused) return undefined
    let timer: number | undefined
    const stop = () => {
      window.clearInterval(timer)
      timer = undefined
    }
    const start = () => {
      stop()
      timer = window.setInterval(refresh, EVERY_MS)
    }
    const follow = () => {
      if (document.visibilityState === 'hidden') return stop()
      refresh()
      start()
    }
    if (document.visibilityState !== 'hidden') start()
    document.addEventListener('visibilitychange', follow)
    return () => {
      stop()
      document.removeEventListener('visibilitychange', follow)
    }
  }, [refresh, paused])
}
