// A browser app with oidc-client-ts: code flow with PKCE, cross-origin token requests, refresh tokens, sign-out.
const output = document.querySelector('#result')
const manager = new oidc.UserManager({
  authority: output.dataset.authority,
  client_id: 'spa',
  redirect_uri: `${location.origin}/spa`,
  post_logout_redirect_uri: `${location.origin}/spa`,
  scope: 'openid profile email groups',
  loadUserInfo: true,
  automaticSilentRenew: false,
  monitorSession: false,
})

function show(name, value) {
  output.textContent = JSON.stringify({ ...JSON.parse(output.textContent || '{}'), [name]: value })
  output.dataset.done = name
}

async function main() {
  if (!location.search.includes('state=')) {
    document.querySelector('#go').onclick = () => manager.signinRedirect()
    show('signed_in', (await manager.getUser()) !== null)
    return show('ready', true)
  }
  const user = await manager.signinRedirectCallback()
  const first = { access: user.access_token, refresh: user.refresh_token }
  const renewed = await manager.signinSilent()
  show('profile', user.profile)
  show('scope', user.scope)
  show('renewed', renewed.access_token !== first.access && renewed.refresh_token !== first.refresh && renewed.profile.sub === user.profile.sub)
  const button = document.querySelector('#go')
  button.textContent = 'Sign out'
  button.onclick = () => manager.signoutRedirect()
  show('ready', true)
}

main().catch((error) => show('error', `${error.name}: ${error.message}`))
