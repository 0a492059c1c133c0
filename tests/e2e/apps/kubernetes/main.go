// What a Kubernetes API server does with a bearer token, by the API server's own code: it reads an AuthenticationConfiguration,
// and says who a token's bearer is. A whole API server would need etcd too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/token/union"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: kubernetes ADDRESS AUTHENTICATION-CONFIGURATION")
	}
	config, err := load(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := authenticators(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(os.Args[1], whoAmI(tokens)))
}

// load decodes and validates the file as --authentication-config does: unknown and repeated fields are errors.
func load(file string) (*apiserver.AuthenticationConfiguration, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder()
	decoded, err := runtime.Decode(decoder, data)
	if err != nil {
		return nil, err
	}
	config, ok := decoded.(*apiserver.AuthenticationConfiguration)
	if !ok {
		return nil, fmt.Errorf("%s is a %T", file, decoded)
	}
	return config, validation.ValidateAuthenticationConfiguration(cel.NewDefaultCompiler(), config, nil).ToAggregate()
}

// bundle is the certificateAuthority of an issuer.
type bundle string

func (b bundle) CurrentCABundleContent() []byte { return []byte(b) }

// authenticators makes one for each issuer, and waits until each has read its issuer's discovery document.
func authenticators(ctx context.Context, config *apiserver.AuthenticationConfiguration) (authenticator.Token, error) {
	var all []authenticator.Token
	for _, issuer := range config.JWT {
		options := oidc.Options{JWTAuthenticator: issuer, SupportedSigningAlgs: oidc.AllValidSigningAlgorithms()}
		if authority := issuer.Issuer.CertificateAuthority; authority != "" {
			options.CAContentProvider = bundle(authority)
		}
		one, err := oidc.New(ctx, options)
		if err != nil {
			return nil, err
		}
		for one.HealthCheck() != nil {
			select {
			case <-ctx.Done():
				return nil, errors.Join(ctx.Err(), one.HealthCheck())
			case <-time.After(50 * time.Millisecond):
			}
		}
		all = append(all, one)
	}
	return union.NewFailOnError(all...), nil
}

// whoAmI answers with what the API server would know about the bearer, as `kubectl auth whoami` shows it.
func whoAmI(tokens authenticator.Token) http.Handler {
	requests := bearertoken.New(tokens)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok, err := requests.AuthenticateRequest(r)
		if err != nil || !ok {
			http.Error(w, fmt.Sprint(err), http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"username": found.User.GetName(), "uid": found.User.GetUID(), "groups": found.User.GetGroups(),
		})
	})
}
