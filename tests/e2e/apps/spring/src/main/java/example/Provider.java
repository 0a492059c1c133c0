package example;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.security.oauth2.client.autoconfigure.OAuth2ClientAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.annotation.Order;
import org.springframework.core.env.Environment;
import org.springframework.http.MediaType;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.oidc.OidcUserInfo;
import org.springframework.security.oauth2.core.oidc.endpoint.OidcParameterNames;
import org.springframework.security.oauth2.server.authorization.client.InMemoryRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.AuthorizationServerSettings;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;
import org.springframework.security.oauth2.server.authorization.token.JwtEncodingContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenCustomizer;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.authentication.LoginUrlAuthenticationEntryPoint;
import org.springframework.security.web.util.matcher.MediaTypeRequestMatcher;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/**
 * An identity provider on Spring Authorization Server. Its settings are properties: server.port, issuer, secret, redirect-uri,
 * post-logout-redirect-uri. A person's password is their name.
 */
@Configuration
@EnableAutoConfiguration(exclude = OAuth2ClientAutoConfiguration.class)
@RestController
public class Provider {
    /** What it knows of people, by login. */
    private final Map<String, Map<String, Object>> people = new ConcurrentHashMap<>(Map.of(
        "alice", claims("Alice Example", "alice", List.of("sre", "wiki"), List.of("auditor")),
        "bob", claims("Bob Example", "bob", List.of(), List.of())));

    public static void main(String[] arguments) {
        SpringApplication.run(Provider.class, arguments);
    }

    private static Map<String, Object> claims(String name, String login, List<String> groups, List<String> roles) {
        var email = login + "@corp.example";
        return new ConcurrentHashMap<>(Map.of(
            "name", name, "preferred_username", login, "email", email, "email_verified", true, "groups", groups, "roles", roles));
    }

    @Bean
    @Order(1)
    SecurityFilterChain protocol(HttpSecurity http) throws Exception {
        http.oauth2AuthorizationServer(server -> {
            http.securityMatcher(server.getEndpointsMatcher());
            server.oidc(oidc -> oidc.userInfoEndpoint(endpoint -> endpoint.userInfoMapper(context -> {
                var subject = context.getAuthorization().getPrincipalName();
                return OidcUserInfo.builder().claims(all -> all.putAll(people.get(subject))).subject(subject).build();
            })));
        });
        http.authorizeHttpRequests(requests -> requests.anyRequest().authenticated());
        http.exceptionHandling(exceptions -> exceptions.defaultAuthenticationEntryPointFor(
            new LoginUrlAuthenticationEntryPoint("/login"), new MediaTypeRequestMatcher(MediaType.TEXT_HTML)));
        return http.build();
    }

    @Bean
    @Order(2)
    SecurityFilterChain pages(HttpSecurity http) throws Exception {
        http.csrf(csrf -> csrf.ignoringRequestMatchers("/people/**"));
        http.authorizeHttpRequests(requests -> requests.requestMatchers("/people/**").permitAll().anyRequest().authenticated());
        http.formLogin(Customizer.withDefaults());
        return http.build();
    }

    /** An administrator changes somebody's groups. */
    @PutMapping("/people/{login}/groups")
    void groups(@PathVariable String login, @RequestBody List<String> groups) {
        people.get(login).put("groups", groups);
    }

    @Bean
    InMemoryUserDetailsManager accounts() {
        var users = people.keySet().stream().map(login -> User.withUsername(login).password("{noop}" + login).build()).toList();
        return new InMemoryUserDetailsManager(users);
    }

    @Bean
    RegisteredClientRepository clients(Environment settings) {
        var broker = RegisteredClient.withId(UUID.randomUUID().toString())
            .clientId("countersign")
            .clientSecret("{noop}" + settings.getRequiredProperty("secret"))
            .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)
            .authorizationGrantType(AuthorizationGrantType.AUTHORIZATION_CODE)
            .authorizationGrantType(AuthorizationGrantType.REFRESH_TOKEN)
            .redirectUri(settings.getRequiredProperty("redirect-uri"))
            .postLogoutRedirectUri(settings.getRequiredProperty("post-logout-redirect-uri"))
            .scope("openid").scope("profile").scope("email")
            .clientSettings(ClientSettings.builder().requireProofKey(true).build())
            .build();
        return new InMemoryRegisteredClientRepository(broker);
    }

    @Bean
    AuthorizationServerSettings server(Environment settings) {
        return AuthorizationServerSettings.builder().issuer(settings.getRequiredProperty("issuer")).build();
    }

    /** The roles are in the ID token, everything else only in userinfo. */
    @Bean
    OAuth2TokenCustomizer<JwtEncodingContext> tokens() {
        return context -> {
            if (OidcParameterNames.ID_TOKEN.equals(context.getTokenType().getValue())) {
                context.getClaims().claim("roles", people.get(context.getPrincipal().getName()).get("roles"));
            }
        };
    }
}
