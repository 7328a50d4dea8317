const HOST = /^(?:[a-z][a-z0-9+.-]{1,15}:)?\/\/(?:[^/?#\s@]{0,256}@)?(\[[0-9a-f:.]{2,45}\]|[^/?#\s:]{1,253})/i

/** The host of a URL in lower case, or null when the text is none. A host made of a variable is returned as written. */
export const hostOf = (url: string): string | null => HOST.exec(url.trim())?.[1]?.toLowerCase() ?? null

/** True for loopback, private and cluster addresses, and for names without a dot. */
export function isLocalHost(host: string): boolean {
  if (/^\[?(?:::1|fe80:|f[cd][0-9a-f]{2}:)/.test(host) || !/[.:$]/.test(host)) return true
  if (/^(?:127|10|0)\.|^192\.168\.|^169\.254\.|^172\.(?:1[6-9]|2[0-9]|3[01])\./.test(host)) return true
  return /\.(?:local|internal|localhost|svc|lan|test|home|intranet)$/.test(host)
}

/** True for a host whose name is only known when the package runs. */
export const isVariableHost = (host: string): boolean => /\$|\{\{|%/.test(host)

export const isAddress = (host: string): boolean => /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)

/** Services that anybody may post to and read from: paste bins, request bins, chat webhooks, tunnels. */
export const isCollector = (host: string): boolean =>
  /(?:^|\.)(?:webhook\.site|requestbin\.(?:com|net)|pipedream\.net|beeceptor\.com|ngrok\.io|ngrok-free\.app|ngrok\.app|burpcollaborator\.net|oastify\.com|oast\.(?:fun|live|me|online|pro|site)|interact\.sh|interactsh\.com|pastebin\.com|paste\.ee|hastebin\.com|transfer\.sh|file\.io|0x0\.st|bashupload\.com|termbin\.com|dnslog\.cn|ceye\.io|canarytokens\.com|requestcatcher\.com|trycloudflare\.com|serveo\.net|localhost\.run|anonfiles\.com|gofile\.io)$/.test(
    host,
  )

/** Services that hide where an address leads or tell its owner who opened it, and chats that take commands and loot. */
export const isCover = (host: string): boolean =>
  /(?:^|\.)(?:bit\.ly|tinyurl\.com|t\.ly|is\.gd|cutt\.ly|rebrand\.ly|shorturl\.at|grabify\.link|iplogger\.(?:org|com)|2no\.co|yip\.su|discord(?:app)?\.com|discord\.gg|api\.telegram\.org|ip\.me|ipify\.org|ifconfig\.me|icanhazip\.com|[\w-]{1,60}\.onion|duckdns\.org|no-ip\.(?:org|com)|ddns\.net|hopto\.org)$/.test(
    host,
  )

/** Every http, ftp or websocket URL in a text. */
export const urlsIn = (text: string): string[] =>
  text.match(/\b(?:https?|ftps?|wss?):\/\/[^\s'"`<>|;)]{1,2000}/gi) ?? []
