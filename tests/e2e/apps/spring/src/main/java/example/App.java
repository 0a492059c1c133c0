package example;

import static org.springframework.security.config.Customizer.withDefaults;

import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.security.oauth2.server.authorization.autoconfigure.servlet.OAuth2AuthorizationServerAutoConfiguration;
import org.springframework.boot.security.oauth2.server.authorization.autoconfigure.servlet.OAuth2AuthorizationServerJwtAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.annotation.Order;
import org.springframework.core.env.Environment;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.GrantedAuthority;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.core.authority.SimpleGrantedAuthority;
import org.springframework.security.core.authority.mapping.GrantedAuthoritiesMapper;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.annotation.RegisteredOAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizationRequestResolver;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizationRequestCustomizers;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.core.oidc.user.OidcUserAuthority;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * An app that signs people in, and its API, set up as examples/apps/spring.toml says. The issuer's address is the property
 * {@code issuer}.
 */
@Configuration
@EnableAutoConfiguration(exclude = {OAuth2AuthorizationServerAutoConfiguration.class, OAuth2AuthorizationServerJwtAutoConfiguration.class})
@RestController
public class App {
    public static void main(String[] arguments) {
        SpringApplication.run(App.class, arguments);
    }

    @Bean
    @Order(1)
    SecurityFilterChain api(HttpSecurity http) throws Exception {
        http.securityMatcher("/api/**");
        http.authorizeHttpRequests(requests -> requests.anyRequest().authenticated());
        http.oauth2ResourceServer(server -> server.jwt(withDefaults()));
        return http.build();
    }

    @Bean
    JwtDecoder decoder(Environment settings) {
        var issuer = settings.getRequiredProperty("issuer");
        var decoder = NimbusJwtDecoder.withIssuerLocation(issuer).validateType(false).build();
        decoder.setJwtValidator(JwtValidators.createAtJwtValidator()
            .issuer(issuer).audience("https://api.example.com").clientId("spring").build());
        return decoder;
    }

    @Bean
    @Order(2)
    SecurityFilterChain pages(HttpSecurity http, ClientRegistrationRepository registrations) throws Exception {
        http.authorizeHttpRequests(requests -> requests
            .requestMatchers("/clerks").hasRole("clerk")
            .anyRequest().authenticated());
        var asks = new DefaultOAuth2AuthorizationRequestResolver(registrations, "/oauth2/authorization");
        asks.setAuthorizationRequestCustomizer(OAuth2AuthorizationRequestCustomizers.withPkce()
            .andThen(request -> request.additionalParameters(all -> all.put("resource", "https://api.example.com"))));
        http.oauth2Login(login -> login.authorizationEndpoint(at -> at.authorizationRequestResolver(asks)));
        http.oidcLogout(logout -> logout.backChannel(withDefaults()));
        var done = new OidcClientInitiatedLogoutSuccessHandler(registrations);
        done.setPostLogoutRedirectUri("{baseUrl}");
        http.logout(logout -> logout.logoutSuccessHandler(done));
        return http.build();
    }

    /** The claim {@code roles} becomes authorities. */
    @Bean
    GrantedAuthoritiesMapper roles() {
        return authorities -> {
            Collection<GrantedAuthority> all = new HashSet<>(authorities);
            for (var authority : authorities) {
                if (authority instanceof OidcUserAuthority person && person.getIdToken().hasClaim("roles")) {
                    List<String> roles = person.getIdToken().getClaimAsStringList("roles");
                    roles.forEach(role -> all.add(new SimpleGrantedAuthority("ROLE_" + role)));
                }
            }
            return all;
        };
    }

    @GetMapping("/")
    ResponseEntity<Map<String, Object>> index(@AuthenticationPrincipal OidcUser person) {
        var shown = Map.<String, Object>of("name", person.getName(), "claims", person.getClaims());
        return ResponseEntity.ok().contentType(MediaType.APPLICATION_JSON).body(shown);
    }

    @GetMapping("/clerks")
    String clerks() {
        return "for clerks";
    }

    /** The access token, which Spring refreshes when less than a minute of its life is left. */
    @GetMapping("/token")
    String token(@RegisteredOAuth2AuthorizedClient("countersign") OAuth2AuthorizedClient client) {
        return client.getAccessToken().getTokenValue();
    }

    @GetMapping("/api/groups")
    List<String> groups(@AuthenticationPrincipal Jwt token) {
        return token.getClaimAsStringList("groups");
    }
}
