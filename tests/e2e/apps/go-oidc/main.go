// An app in Go with go-oidc and golang.org/x/oauth2: sign-in, claims, refresh, sign-out.
//
// Its settings come from the environment: ISSUER, CLIENT_ID, CLIENT_SECRET, ADDRESS (host:port to listen on). Sessions are
// kept in memory, which is enough for an example.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

type session struct {
	token   *oauth2.Token
	idToken string
	claims  map[string]any
}

type app struct {
	home       string
	provider   *oidc.Provider
	verifier   *oidc.IDTokenVerifier
	oauth      oauth2.Config
	endSession string

	mutex    sync.Mutex
	sessions map[string]*session
}

func newApp(ctx context.Context) (*app, error) {
	issuer, id, home := os.Getenv("ISSUER"), os.Getenv("CLIENT_ID"), "http://"+os.Getenv("ADDRESS")
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	// go-oidc reads the endpoints for sign-in; the sign-out endpoint is in the same document.
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, err
	}
	return &app{
		home:     home,
		provider: provider,
		verifier: provider.Verifier(&oidc.Config{ClientID: id}),
		oauth: oauth2.Config{
			ClientID:     id,
			ClientSecret: os.Getenv("CLIENT_SECRET"),
			Endpoint:     provider.Endpoint(),
			RedirectURL:  home + "/callback",
			// The app gets a refresh token without offline_access too; it is valid as long as the session at the broker.
			Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups"},
		},
		endSession: more.EndSession,
		sessions:   map[string]*session{},
	}, nil
}

func cookie(w http.ResponseWriter, name, value string) {
	// Behind TLS, set Secure too.
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func cookieValue(r *http.Request, name string) string {
	found, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return found.Value
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	cookie(w, "state", state)
	cookie(w, "nonce", nonce)
	cookie(w, "verifier", verifier)
	http.Redirect(w, r, a.oauth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusFound)
}

func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if state := cookieValue(r, "state"); state == "" || query.Get("state") != state {
		http.Error(w, "state differs", http.StatusBadRequest)
		return
	}
	if refused := query.Get("error"); refused != "" {
		http.Error(w, refused+": "+query.Get("error_description"), http.StatusForbidden)
		return
	}
	token, err := a.oauth.Exchange(r.Context(), query.Get("code"), oauth2.VerifierOption(cookieValue(r, "verifier")))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	signedIn, err := a.read(r.Context(), token)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if nonce := cookieValue(r, "nonce"); nonce == "" || signedIn.claims["nonce"] != nonce {
		http.Error(w, "nonce differs", http.StatusBadRequest)
		return
	}
	id := rand.Text()
	a.mutex.Lock()
	a.sessions[id] = signedIn
	a.mutex.Unlock()
	cookie(w, "session", id)
	http.Redirect(w, r, "/", http.StatusFound)
}

// read verifies the ID token of a token response. The callback compares the nonce: a refreshed ID token may have none.
func (a *app) read(ctx context.Context, token *oauth2.Token) (*session, error) {
	raw, _ := token.Extra("id_token").(string)
	idToken, err := a.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if idToken.AccessTokenHash != "" {
		if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, err
		}
	}
	found := &session{token: token, idToken: raw}
	return found, idToken.Claims(&found.claims)
}

func (a *app) signedIn(r *http.Request) *session {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.sessions[cookieValue(r, "session")]
}

func show(w http.ResponseWriter, value any) {
	w.Header().Set("content-type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}

func (a *app) index(w http.ResponseWriter, r *http.Request) {
	found := a.signedIn(r)
	if found == nil {
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}
	show(w, found.claims)
}

func (a *app) userinfo(w http.ResponseWriter, r *http.Request) {
	found := a.signedIn(r)
	if found == nil {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	info, err := a.provider.UserInfo(r.Context(), oauth2.StaticTokenSource(found.token))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	var claims map[string]any
	if err := info.Claims(&claims); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	show(w, claims)
}

func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	found := a.signedIn(r)
	if found == nil {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	token, err := a.oauth.TokenSource(r.Context(), &oauth2.Token{RefreshToken: found.token.RefreshToken}).Token()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	again, err := a.read(r.Context(), token)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	// Each refresh token can be used once: the new one replaces it.
	rotated := token.RefreshToken != found.token.RefreshToken
	*found = *again
	show(w, map[string]any{"rotated": rotated, "claims": again.claims})
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	found := a.signedIn(r)
	if found == nil {
		http.Redirect(w, r, "/bye", http.StatusFound)
		return
	}
	a.mutex.Lock()
	delete(a.sessions, cookieValue(r, "session"))
	a.mutex.Unlock()
	query := url.Values{"id_token_hint": {found.idToken}, "post_logout_redirect_uri": {a.home + "/bye"}}
	http.Redirect(w, r, a.endSession+"?"+query.Encode(), http.StatusFound)
}

func main() {
	a, err := newApp(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /{$}", a.index)
	http.HandleFunc("GET /login", a.login)
	http.HandleFunc("GET /callback", a.callback)
	http.HandleFunc("GET /userinfo", a.userinfo)
	http.HandleFunc("GET /refresh", a.refresh)
	http.HandleFunc("GET /logout", a.logout)
	http.HandleFunc("GET /bye", func(w http.ResponseWriter, _ *http.Request) { show(w, "signed out") })
	log.Fatal(http.ListenAndServe(os.Getenv("ADDRESS"), nil))
}
