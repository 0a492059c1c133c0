// The parts of Argo CD's server that sign people in and out and decide what they may do: its own settings, handlers, sessions
// and RBAC. The cluster is the Kubernetes client's fake, with the ConfigMaps and the Secret that an administrator would apply.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/server/logout"
	"github.com/argoproj/argo-cd/v3/server/rbacpolicy"
	"github.com/argoproj/argo-cd/v3/util/assets"
	"github.com/argoproj/argo-cd/v3/util/cache"
	httputil "github.com/argoproj/argo-cd/v3/util/http"
	jwtutil "github.com/argoproj/argo-cd/v3/util/jwt"
	"github.com/argoproj/argo-cd/v3/util/oidc"
	"github.com/argoproj/argo-cd/v3/util/rbac"
	"github.com/argoproj/argo-cd/v3/util/session"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

const namespace = "argocd"

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: argo-cd ADDRESS FILE; FILE has the keys of argocd-cm and argocd-rbac-cm, SECRET the client's secret")
	}
	ctx := context.Background()
	cluster, err := apply(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	manager := settings.NewSettingsManager(ctx, cluster, namespace)
	all, err := manager.GetSettings()
	if err != nil {
		log.Fatal(err)
	}
	app, err := oidc.NewClientApp(all, "", nil, "/", cache.NewInMemoryCache(time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	sessions := session.NewSessionManager(manager, nil, "", nil, &revoked{})
	enforcer, policies, err := loadPolicies(ctx, cluster)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc(common.LoginEndpoint, app.HandleLogin)
	http.HandleFunc(common.CallbackEndpoint, app.HandleCallback)
	http.Handle(common.LogoutEndpoint, logout.NewHandler(manager, sessions, "", "/"))
	http.HandleFunc("/", userInfo(sessions, enforcer, policies))
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

// apply is a cluster with the file's keys in the ConfigMap that each belongs to.
func apply(file string) (kubernetes.Interface, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var keys map[string]string
	if err := yaml.UnmarshalStrict(text, &keys); err != nil {
		return nil, err
	}
	named := func(name string) metav1.ObjectMeta {
		labels := map[string]string{"app.kubernetes.io/part-of": "argocd"}
		return metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels}
	}
	main := &corev1.ConfigMap{ObjectMeta: named(common.ArgoCDConfigMapName), Data: map[string]string{}}
	access := &corev1.ConfigMap{ObjectMeta: named(common.ArgoCDRBACConfigMapName), Data: map[string]string{}}
	for key, value := range keys {
		if strings.HasPrefix(key, "policy.") || key == rbac.ConfigMapScopesKey {
			access.Data[key] = value
		} else {
			main.Data[key] = value
		}
	}
	secret := &corev1.Secret{ObjectMeta: named(common.ArgoCDSecretName), Data: map[string][]byte{
		"oidc.countersign.clientSecret": []byte(os.Getenv("SECRET")),
		"server.secretkey":              []byte("the key of this test"),
	}}
	return fake.NewClientset(main, access, secret), nil
}

// loadPolicies does as the server does at its start.
func loadPolicies(ctx context.Context, cluster kubernetes.Interface) (*rbac.Enforcer, *rbacpolicy.RBACPolicyEnforcer, error) {
	enforcer := rbac.NewEnforcer(cluster, namespace, common.ArgoCDRBACConfigMapName, nil)
	enforcer.EnableEnforce(true)
	if err := enforcer.SetBuiltinPolicy(assets.BuiltinPolicyCSV); err != nil {
		return nil, nil, err
	}
	policies := rbacpolicy.NewRBACPolicyEnforcer(enforcer, nil)
	enforcer.SetClaimsEnforcerFunc(policies.EnforceClaims)
	loaded := make(chan error)
	var once sync.Once
	go func() {
		err := enforcer.RunPolicyLoader(ctx, func(cm *corev1.ConfigMap) error {
			var scopes []string
			if err := yaml.Unmarshal([]byte(cm.Data[rbac.ConfigMapScopesKey]), &scopes); err != nil {
				return err
			}
			policies.SetScopes(scopes)
			once.Do(func() { close(loaded) })
			return nil
		})
		loaded <- errors.Join(errors.New("the policies are not loaded any more"), err)
	}()
	return enforcer, policies, <-loaded
}

// userInfo answers who the session's token is for, and whether they may change clusters or only look at applications.
func userInfo(
	sessions *session.SessionManager, enforcer *rbac.Enforcer, policies *rbacpolicy.RBACPolicyEnforcer,
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, err := httputil.JoinCookies(common.AuthCookieName, r.Cookies())
		var claims jwt.Claims
		if err == nil {
			claims, _, err = sessions.VerifyToken(token)
		}
		var known jwt.MapClaims
		if err == nil {
			known, err = jwtutil.MapClaims(claims)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"username": jwtutil.StringField(known, "email"),
			"sub":      jwtutil.StringField(known, "sub"),
			"groups":   jwtutil.GetGroups(known, policies.GetScopes()),
			"changes":  enforcer.Enforce(claims, rbac.ResourceClusters, rbac.ActionUpdate, "*"),
			"looks":    enforcer.Enforce(claims, rbac.ResourceClusters, rbac.ActionGet, "*"),
		})
	}
}

// revoked is the storage of sessions without Redis: this program revokes nothing but at a sign-out.
type revoked struct {
	session.UserStateStorage
	tokens sync.Map
}

func (s *revoked) RevokeToken(_ context.Context, id string, _ time.Duration) error {
	s.tokens.Store(id, true)
	return nil
}

func (s *revoked) IsTokenRevoked(id string) bool {
	_, found := s.tokens.Load(id)
	return found
}
