//! A sandbox, a folder with a config for it, and the binary at work there.

use reqwest::Client;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use syncline::sandbox::faults::Faults;
use syncline::sandbox::listener::{Running, SandboxConfig, serve};
use syncline::sandbox::seed::{SeedPlan, SeedSummary};
use tokio::runtime::Runtime;

/// A served sandbox with its folder.
pub struct World {
    pub folder: tempfile::TempDir,
    pub running: Running,
    client: Client,
    runtime: Runtime,
}

/// `hubspot` or `salesforce`.
pub type System = &'static str;

pub const CONTACTS: &str = "/crm/objects/2026-03/contacts";
pub const SOBJECTS: &str = "/services/data/v61.0/sobjects";

impl World {
    /// With so many people; 0 = an empty sandbox.
    pub fn new(records: usize) -> Self {
        let data = (records > 0).then_some(SeedPlan { records, ..SeedPlan::default() });
        Self::with(SandboxConfig { data, ..SandboxConfig::default() })
    }

    pub fn with(config: SandboxConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let running = runtime.block_on(serve(config)).expect("a sandbox");
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self { folder, running, client: Client::new(), runtime };
        std::fs::write(world.path("ready.json"), world.running.ready.to_string()).expect("a file");
        assert_eq!(world.run(&["init", "--sandbox", "ready.json"]).0, Some(0));
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a part of the config.
    pub fn edit_config(&self, from: &str, to: &str) {
        let file = self.path("syncline.toml");
        let text = std::fs::read_to_string(&file).expect("a config");
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(file, text.replace(from, to)).expect("a config");
    }

    /// Adds to the config.
    pub fn append_config(&self, text: &str) {
        let file = self.path("syncline.toml");
        let config = std::fs::read_to_string(&file).expect("a config");
        std::fs::write(file, config + text).expect("a config");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command.current_dir(self.folder.path()).args(args).env_remove("RUST_LOG");
        command
    }

    /// Runs the binary to its end: exit code, stdout, stderr.
    pub fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(args).output().expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (status.code(), text(stdout), text(stderr))
    }

    /// As [`Self::run`], with everything traced: all that it said.
    pub fn traced(&self, args: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } =
            self.command(args).env("RUST_LOG", "trace").output().expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (status.code(), text(stdout) + &text(stderr))
    }

    /// Runs it with `--json`; the document must be the last line.
    pub fn json(&self, args: &[&str]) -> (Option<i32>, Value) {
        let (code, out, err) = self.run(&[args, &["--json"]].concat());
        let document = serde_json::from_str(out.lines().last().unwrap_or_default());
        (code, document.unwrap_or_else(|error| panic!("{error}: {out}{err}")))
    }

    /// As [`Self::start`], with everything traced.
    pub fn start_traced(&self, args: &[&str]) -> Process {
        let stderr = std::fs::File::create(self.path("stderr")).expect("a file");
        let stdout = std::fs::File::create(self.path("stdout")).expect("a file");
        let child = self.command(args).env("RUST_LOG", "trace").stdout(stdout).stderr(stderr).spawn();
        Process(child.expect("the binary runs"))
    }

    /// Starts it; what it writes to stderr goes to the file `stderr`.
    pub fn start(&self, args: &[&str]) -> Process {
        let stderr = std::fs::File::create(self.path("stderr")).expect("a file");
        let child = self.command(args).stdout(Stdio::null()).stderr(stderr).spawn();
        Process(child.expect("the binary runs"))
    }

    /// A call by a person; what is not 2xx panics.
    pub fn person(&self, system: System, method: &str, path: &str, body: &Value) -> Value {
        let ready = &self.running.ready[system];
        let text = |key: &str| ready[key].as_str().expect("a text").to_owned();
        let url = format!("{}{path}", text("url"));
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, &url).bearer_auth(text("user_token"));
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let (status, text) = self.runtime.block_on(async {
            let answer = request.send().await.expect("an answer");
            (answer.status(), answer.text().await.expect("a text"))
        });
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub fn edit_hubspot(&self, id: &str, properties: Value) {
        self.person("hubspot", "PATCH", &format!("{CONTACTS}/{id}"), &json!({ "properties": properties }));
    }

    pub fn edit_salesforce(&self, object: &str, id: &str, fields: &Value) {
        self.person("salesforce", "PATCH", &format!("{SOBJECTS}/{object}/{id}"), fields);
    }

    /// A property of a HubSpot contact; "" where it is blank.
    pub fn hubspot(&self, id: &str, property: &str) -> String {
        let path = format!("{CONTACTS}/{id}?properties={property}");
        let contact = self.person("hubspot", "GET", &path, &Value::Null);
        contact["properties"][property].as_str().unwrap_or_default().to_owned()
    }

    /// A field of a Salesforce contact; "" where it is blank.
    pub fn salesforce(&self, id: &str, field: &str) -> String {
        let contact = self.person("salesforce", "GET", &format!("{SOBJECTS}/Contact/{id}"), &Value::Null);
        contact[field].as_str().unwrap_or_default().to_owned()
    }

    pub fn query(&self, query: &str) -> Vec<Value> {
        let query = query.replace('=', "%3D").replace(' ', "+").replace('\'', "%27");
        let path = format!("/services/data/v61.0/query?q={query}");
        self.person("salesforce", "GET", &path, &Value::Null)["records"].as_array().cloned().unwrap_or_default()
    }

    /// The HubSpot id of a contact.
    pub fn hubspot_id(&self, email: &str) -> String {
        let path = format!("{CONTACTS}/{}?idProperty=email", email.to_lowercase());
        self.person("hubspot", "GET", &path, &Value::Null)["id"].as_str().expect("an id").to_owned()
    }

    /// Our writes in each system.
    pub fn writes(&self) -> [Value; 2] {
        [&self.running.hubspot, &self.running.salesforce]
            .map(|server| server.as_ref().expect("a server").ledger()["writes"]["integration"].clone())
    }

    /// All our writes.
    pub fn writes_total(&self) -> u64 {
        let sum = |writes: &Value| -> u64 {
            ["create", "update", "delete"].iter().filter_map(|key| writes[key].as_u64()).sum()
        };
        self.writes().iter().map(sum).sum()
    }

    pub fn set_faults(&self, spec: &Value) {
        let faults = Faults::parse(&spec.to_string()).expect("faults");
        for server in [&self.running.hubspot, &self.running.salesforce].into_iter().flatten() {
            server.set_faults(faults.clone());
        }
    }

    /// The records that each system lacked in the beginning have been created there, each once.
    pub fn assert_created_exactly_what_was_missing(&self) {
        let SeedSummary { people, companies, deals } = self.running.summary;
        let [hubspot, salesforce] = self.writes();
        let lacked = |only: [usize; 3]| only.iter().sum::<usize>() as u64;
        let only_salesforce = lacked([people.only_salesforce, companies.only_salesforce, deals.only_salesforce]);
        let only_hubspot = lacked([people.only_hubspot, companies.only_hubspot, deals.only_hubspot]);
        assert_eq!(hubspot["create"].as_u64(), Some(only_salesforce), "creates in HubSpot");
        assert_eq!(salesforce["create"].as_u64(), Some(only_hubspot), "creates in Salesforce");
    }

    pub fn assert_equal(&self) {
        let (code, verdict) = self.json(&["verify"]);
        assert_eq!((code, &verdict["equal"]), (Some(0), &Value::Bool(true)), "{verdict}");
        for (name, entity) in verdict["entities"].as_object().expect("entities") {
            assert_eq!(entity["root"]["hubspot"], entity["root"]["salesforce"], "{name}");
            let excluded = |key: &str| entity["excluded"][key].as_u64().expect("a count");
            let parts = entity["compared"].as_u64().expect("a count") + excluded("detached") + excluded("unmatched");
            assert_eq!(entity["records"].as_u64(), Some(parts + excluded("scope")), "{name}: {entity}");
        }
    }

    /// Status of the running daemon, once it answers.
    pub fn status(&self) -> Value {
        let (code, status) = self.json(&["status"]);
        assert_eq!(code, Some(0), "{status}");
        status
    }

    /// Waits until everything that was done so far has been read and dealt with.
    pub fn settle(&self) {
        let polls = |status: &Value| {
            ["hubspot", "salesforce"].map(|name| status["systems"][name]["polls"].as_u64().unwrap_or_default())
        };
        let before = polls(&self.status());
        until("all is quiet", || {
            let status = self.status();
            let now = polls(&status);
            status["quiet"] == true && now.iter().zip(before).all(|(now, before)| *now >= before + 2)
        });
    }
}

/// A started binary; killed when dropped.
pub struct Process(Child);

impl Process {
    pub fn kill(mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it ends");
    }

    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.0.try_wait().expect("it is ours").map(|status| status.code())
    }

    /// SIGTERM, and the exit code.
    pub fn stop(self) -> Option<i32> {
        self.signal("-TERM")
    }

    /// A signal that ends it, and the exit code.
    pub fn signal(mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let mut code = None;
        until("it ends", || {
            code = self.ended();
            code.is_some()
        });
        code.flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(60), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(40));
    }
}

/// The bytes of a file.
pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a file")
}
