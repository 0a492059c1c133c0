// Vault's OIDC plugin with what it needs of Vault: storage in memory, and its paths below /v1/auth/oidc. The server would add
// tokens and identities.
//
//	vault server ADDRESS              serves the plugin; writing needs no token
//	vault login ADDRESS [KEY=VALUE…]  is `vault login -method=oidc`, and prints what Vault's core is told of the person
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	jwtauth "github.com/hashicorp/vault-plugin-auth-jwt"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/logical"
)

const mount = "/v1/auth/oidc/"

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "server":
		err = serve(os.Args[2])
	case len(os.Args) >= 3 && os.Args[1] == "login":
		err = login(os.Args[2], os.Args[3:])
	default:
		err = errors.New("usage: vault server|login ADDRESS [KEY=VALUE…]")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(address string) error {
	storage := &logical.InmemStorage{}
	backend, err := jwtauth.Factory(context.Background(), &logical.BackendConfig{
		StorageView: storage,
		Logger:      hclog.New(&hclog.LoggerOptions{Level: hclog.Debug}),
		System:      &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 24 * time.Hour},
	})
	if err != nil {
		return err
	}
	return http.ListenAndServe(address, handler(backend, storage))
}

func handler(backend logical.Backend, storage logical.Storage) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, mount)
		if !ok {
			http.NotFound(w, r)
			return
		}
		request := &logical.Request{
			Operation: logical.ReadOperation, Path: path, Storage: storage, MountPoint: "auth/oidc/", Data: map[string]any{},
		}
		if r.Method == http.MethodGet {
			for name := range r.URL.Query() {
				request.Data[name] = r.URL.Query().Get(name)
			}
		} else if err := writes(r, backend, request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		response, err := backend.HandleRequest(r.Context(), request)
		answer(w, request, response, err)
	})
}

// writes reads the body, and whether the request creates or updates, as Vault's core asks the plugin.
func writes(r *http.Request, backend logical.Backend, request *logical.Request) error {
	if err := json.NewDecoder(r.Body).Decode(&request.Data); err != nil {
		return err
	}
	request.Operation = logical.UpdateOperation
	checked, exists, err := backend.HandleExistenceCheck(r.Context(), request)
	if checked && !exists {
		request.Operation = logical.CreateOperation
	}
	return err
}

func answer(w http.ResponseWriter, request *logical.Request, response *logical.Response, err error) {
	w.Header().Set("Content-Type", "application/json")
	if status, err := logical.RespondErrorCommon(request, response, err); err != nil {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string][]string{"errors": {err.Error()}})
		return
	}
	if response == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if auth := response.Auth; auth != nil {
		groups := []string{}
		for _, group := range auth.GroupAliases {
			groups = append(groups, group.Name)
		}
		response.Data = map[string]any{
			"alias": auth.Alias.Name, "metadata": auth.Alias.Metadata, "groups": groups, "policies": auth.Policies,
		}
	}
	_ = json.NewEncoder(w).Encode(logical.LogicalResponseToHTTPResponse(response))
}

func login(address string, pairs []string) error {
	settings := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		settings[name] = value
	}
	client, err := api.NewClient(&api.Config{Address: address})
	if err != nil {
		return err
	}
	secret, err := (&jwtauth.CLIHandler{}).Auth(client, settings)
	if err != nil {
		return err
	}
	told, err := json.Marshal(secret.Data)
	fmt.Println(string(told))
	return err
}
