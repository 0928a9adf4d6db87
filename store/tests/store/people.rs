//! Users and keys: what must hold whoever is quicker.

use chrono::{TimeDelta, Utc};
use jobs::{ApiKey, KeyMode, Role, TenantId, UserId};
use sqlx::PgPool;
use store::api_keys::{Created, NewKey, Owner, State};
use store::limits::rules;
use store::users::{self, Put, Removed, Standing};
use store::{api_keys, tenants};

use crate::database::TestDatabase;
use crate::outbox::note_of;

struct House {
    pool: PgPool,
    tenant: TenantId,
    ada: UserId,
    _database: TestDatabase,
}

impl House {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let (pool, tenant, ada) = (database.pool.clone(), "acme".parse().unwrap(), "ada".parse().unwrap());
        assert!(tenants::ensure_tenant(&pool, &tenant, "default").await.unwrap());
        assert!(!tenants::ensure_tenant(&pool, &tenant, "another").await.unwrap(), "it keeps its plan");
        assert!(matches!(
            users::put(&pool, &tenant, &ada, Role::Developer, &note_of(&tenant)).await.unwrap(),
            Put::Created(_)
        ));
        Self { pool, tenant, ada, _database: database }
    }

    async fn creates(&self, key: &ApiKey) -> Created {
        let new = NewKey {
            key,
            tenant: &self.tenant,
            user: &self.ada,
            name: "a key",
            scopes: &Role::Developer.scopes(),
            created_by: &self.ada,
            expires_at: Utc::now() + TimeDelta::days(1),
        };
        api_keys::create(&self.pool, &new, 1_000, &note_of(&self.tenant)).await.unwrap()
    }
}

/// A user who is deleted while keys are made leaves none in force, whichever comes first.
#[tokio::test]
async fn a_deleted_user_leaves_no_key_behind() {
    let house = House::new().await;
    let keys: Vec<ApiKey> = (0..24).map(|_| ApiKey::generate(KeyMode::Live)).collect();
    let creations = futures::future::join_all(keys.iter().map(|key| house.creates(key)));
    let deletion = async {
        // In the middle of them.
        while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM api_keys").fetch_one(&house.pool).await.unwrap() < 3 {}
        users::remove(&house.pool, &house.tenant, &house.ada, &note_of(&house.tenant)).await.unwrap()
    };
    let (made, removed) = tokio::join!(creations, deletion);
    assert_eq!(removed, Removed::Gone);
    assert!(made.iter().any(|made| matches!(made, Created::New(_))));
    users::put(&house.pool, &house.tenant, &house.ada, Role::Developer, &note_of(&house.tenant)).await.unwrap();
    for key in &keys {
        let known = api_keys::known(&house.pool, key.id()).await.unwrap();
        assert!(known.is_none_or(|known| known.state == State::Revoked), "{key:?}");
    }
}

#[tokio::test]
async fn a_sandbox_has_its_tenants_users_and_plan() {
    let house = House::new().await;
    let House { pool, tenant, ada, .. } = &house;
    let key = ApiKey::generate(KeyMode::Test);
    assert!(matches!(house.creates(&key).await, Created::New(_)));
    assert!(matches!(house.creates(&ApiKey::generate(KeyMode::Test)).await, Created::New(_)), "one sandbox for all");
    let sandbox = tenant.sandbox();
    let standing = users::standing(pool, &sandbox, ada).await.unwrap();
    assert_eq!(standing, Some(Standing { role: Role::Developer, submitter: None }));
    assert_eq!(users::find(pool, &sandbox, ada).await.unwrap(), None);
    let team = rules::Change { plan: Some("team".to_owned()), ..rules::Change::default() };
    assert!(rules::change(pool, tenant, &team, &note_of(tenant)).await.unwrap());
    assert_eq!(tenants::find(pool, sandbox.as_str()).await.unwrap().unwrap().plan, "team");
    assert!(!rules::change(pool, &sandbox, &team, &note_of(tenant)).await.unwrap(), "it is its tenant's");
    let listed: Vec<String> =
        tenants::list(pool).await.unwrap().into_iter().map(|tenant| tenant.id.to_string()).collect();
    assert_eq!(listed, ["acme"]);

    let key = rules::new_key(pool, tenant, None, &note_of(tenant)).await.unwrap();
    let networks = vec!["10.0.0.0/8".to_owned()];
    let strict = rules::Change {
        allowed_networks: Some(networks.clone()),
        signature: Some(rules::Signature::Required),
        ..rules::Change::default()
    };
    assert!(rules::change(pool, tenant, &strict, &note_of(tenant)).await.unwrap());
    let [of_tests] = rules::of(pool, &[sandbox.to_string()]).await.unwrap().try_into().unwrap();
    assert_eq!((of_tests.tenant, of_tests.plan.as_str()), (sandbox, "team"));
    assert_eq!((of_tests.allowed_networks, of_tests.keys), (networks, vec![key]), "a test key is no way around them");
    assert_eq!(of_tests.signature, rules::Signature::Required);
}

/// A tenant of that name from before there were sandboxes is nobody's.
#[tokio::test]
async fn somebody_elses_tenant_is_no_sandbox() {
    let house = House::new().await;
    sqlx::query("INSERT INTO tenants (id) VALUES ('acme--test')").execute(&house.pool).await.unwrap();
    let key = ApiKey::generate(KeyMode::Test);
    let new = NewKey {
        key: &key,
        tenant: &house.tenant,
        user: &house.ada,
        name: "a key",
        scopes: &Role::Developer.scopes(),
        created_by: &house.ada,
        expires_at: Utc::now() + TimeDelta::days(1),
    };
    assert!(api_keys::create(&house.pool, &new, 10, &note_of(&house.tenant)).await.is_err());
    let owner = Owner { tenant: &house.tenant, user: None };
    assert!(api_keys::find(&house.pool, owner, key.id()).await.unwrap().is_none());
}

/// A token of less, in development, takes nothing away.
#[tokio::test]
async fn a_development_users_role_only_rises() {
    let house = House::new().await;
    let House { pool, tenant, ada, .. } = &house;
    for (given, expected) in
        [("team_lead", Role::TeamLead), ("admin", Role::Admin), ("developer", Role::Admin), ("team_lead", Role::Admin)]
    {
        tenants::ensure_user(pool, tenant, ada, given, [7; 20]).await.unwrap();
        let standing = users::standing(pool, tenant, ada).await.unwrap();
        assert_eq!(standing, Some(Standing { role: expected, submitter: Some([7; 20]) }), "{given}");
    }
    tenants::ensure_user(pool, tenant, ada, "admin", [8; 20]).await.unwrap();
    let standing = users::standing(pool, tenant, ada).await.unwrap().unwrap();
    assert_eq!(standing.submitter, Some([7; 20]), "an address stays");
}
