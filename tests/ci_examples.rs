//! Runs the commands of `examples/ci` in a repository, as the CI services would. What posts the comment (`gh`, `curl`) is
//! replaced by scripts that keep it.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../examples/seed.rs"]
#[expect(dead_code, reason = "an example has a main function")]
mod seed;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use saphyr::{LoadableYamlNode as _, Yaml};

const FILE: &str = r#"issuer = "https://sso.example.com"
[store]
url = "sqlite:../state/broker.db"
[providers.corp]
issuer = "https://login.example"
client_id = "c"
client_secret = { file = "/run/secrets/corp" }
[roles.admin]
[[role_rules]]
when = "'group-1' in groups"
roles = ["admin"]
[clients.grafana]
client_secret_hashes = ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
redirect_uris = ["https://grafana.example.com/cb"]
"#;

struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// A repository whose branch `main` has the configuration, and the people of its store.
    fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["work", "bin"] {
            std::fs::create_dir(this.folder.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_countersign"), this.folder.path().join("bin/countersign"))
            .unwrap();
        for name in ["gh", "curl"] {
            let script = this.folder.path().join("bin").join(name);
            std::fs::write(&script, "#!/bin/sh\necho \"$0 $*\" > ../called\ncp plan.md ../comment.md\n").unwrap();
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::write(this.work().join("broker.toml"), FILE).unwrap();
        std::fs::write(this.folder.path().join("people.key"), "a key of more than sixteen bytes").unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let file = this.work().join("broker.toml").display().to_string();
        runtime.block_on(seed::fill(&file, 0..30, 10)).unwrap();
        this.run("countersign people export --sealed ../people.key > people.sealed", &[]);
        this.run(
            "git init -q -b main . && git add . && git commit -qm one && git clone -q --bare . ../origin.git",
            &[],
        );
        this.run("git remote add origin ../origin.git && git checkout -q -b change", &[]);
        this
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn sh(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let path = format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap());
        let identity = [("GIT_AUTHOR_NAME", "T"), ("GIT_AUTHOR_EMAIL", "t@example.com"), ("GIT_COMMITTER_NAME", "T")];
        Command::new("bash")
            .args(["-e", "-c", script])
            .current_dir(self.work())
            .env("PATH", path)
            .env("GIT_COMMITTER_EMAIL", "t@example.com")
            .envs(identity)
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn run(&self, script: &str, variables: &[(&str, &str)]) {
        let output = self.sh(script, variables);
        assert!(output.status.success(), "{script}: {output:?}");
    }

    fn comment(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("comment.md")).unwrap_or_default()
    }

    fn change(&self, text: &str) {
        std::fs::write(self.work().join("broker.toml"), text).unwrap();
        drop(std::fs::remove_file(self.folder.path().join("comment.md")));
    }
}

fn example(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(name)).unwrap()
}

fn texts<'y>(list: &'y Yaml<'_>) -> Vec<&'y str> {
    list.as_sequence().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// What a change does in both services: the exit code, and the comment.
fn check(repository: &Repository, script: &str, variables: &[(&str, &str)], accept: &str) {
    let with = |more: &[(&'static str, &'static str)]| [variables, more].concat();
    let ran = |more: &[(&'static str, &'static str)]| repository.sh(script, &with(more));

    repository.change(&FILE.replace("'group-1' in groups", "'group-2' in groups"));
    let output = ran(&[]);
    assert!(output.status.success(), "{output:?}");
    let comment = repository.comment();
    assert!(comment.contains("### Countersign plan: may be merged") && comment.contains("**6 of 30 people affected**"));
    assert!(comment.contains("- lose role admin: 3 (`p-") && !comment.contains("person-"), "{comment}");

    repository
        .change(&FILE.replace("client_id = \"c\"", "client_id = \"c\"\nallow = \"!('group-1' in claims.groups)\""));
    let output = ran(&[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(repository.comment().contains("3 people lose their only way in"), "{}", repository.comment());
    let accepted = match accept {
        "ACCEPT" => ran(&[("ACCEPT", "--accept")]),
        _ => ran(&[("COUNTERSIGN_ACCEPT", "--accept")]),
    };
    assert!(accepted.status.success(), "{accepted:?}");

    repository.change("issuer = 1");
    let output = ran(&[]);
    assert_eq!((output.status.code(), repository.comment().as_str()), (Some(1), ""), "{output:?}");
}

const KEY: (&str, &str) = ("COUNTERSIGN_PEOPLE_KEY", "a key of more than sixteen bytes");

#[test]
fn the_commands_of_the_github_example_work() {
    let text = example("github-actions.yml");
    let documents = Yaml::load_from_str(&text).unwrap();
    let steps = documents.first().unwrap().as_mapping_get("jobs").unwrap().as_mapping_get("plan").unwrap();
    let steps = steps.as_mapping_get("steps").unwrap().as_sequence().unwrap();
    let own = |step: &&Yaml<'_>| step.as_mapping_get("name").and_then(Yaml::as_str) != Some("Install countersign");
    let runs = steps.iter().filter(own).filter_map(|step| step.as_mapping_get("run")?.as_str());
    let script: Vec<&str> = runs.collect();
    assert_eq!(script.len(), 2);

    let repository = Repository::new();
    // What the second checkout does.
    repository.run("git worktree add --quiet base main", &[]);
    check(&repository, &script.join("\n"), &[KEY, ("PULL_REQUEST", "7")], "ACCEPT");
    let called = std::fs::read_to_string(repository.folder.path().join("called")).unwrap();
    assert!(called.contains("gh pr comment 7 --body-file plan.md"), "{called}");
}

#[test]
fn the_commands_of_the_gitlab_example_work() {
    let text = example("gitlab-ci.yml");
    let documents = Yaml::load_from_str(&text).unwrap();
    let job = documents.first().unwrap().as_mapping_get("countersign").unwrap();
    let script = texts(job.as_mapping_get("script").unwrap());
    assert_eq!(script.len(), 4);
    let repository = Repository::new();
    // A runner begins each job without the worktrees of the one before.
    let script = format!("rm -rf base; git worktree prune\n{}", script.join("\n"));
    let variables = [
        KEY,
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
        ("CI_PROJECT_ID", "3"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("COUNTERSIGN_COMMENT_TOKEN", "t"),
    ];
    check(&repository, &script, &variables, "COUNTERSIGN_ACCEPT");
    let called = std::fs::read_to_string(repository.folder.path().join("called")).unwrap();
    assert!(called.contains("https://gitlab.example/api/v4/projects/3/merge_requests/7/notes"), "{called}");
    assert!(called.contains("body@plan.md"), "{called}");
}
