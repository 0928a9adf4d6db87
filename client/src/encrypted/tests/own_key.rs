//! Results under a key of the client's own.

use alloy::primitives::{Address, B256};
use jobs::receipt::Receipt;

use super::service::{Service, id, receipt};
use crate::encrypted::*;

#[tokio::test]
async fn a_result_under_an_own_key_is_opened_here_and_only_if_it_was_confirmed() {
    let files = OwnKeyFiles::generate().await.unwrap();
    let key = OwnKey::from_bytes(&files.secret_key, files.key_id).unwrap();
    assert!(OwnKey::is_secret(&files.secret_key) && !OwnKey::is_secret(b"anything"));
    assert_eq!(OwnKey::id_of(&files.evaluation_key), files.key_id);
    let inputs = key.encrypt(vec![crate::ClearValue::U8(3), crate::ClearValue::Bool(true)]).await.unwrap();
    assert_eq!(inputs.key(), JobKey::client(files.key_id));
    let none = key.encrypt(Vec::new()).await.unwrap_err();
    assert!(matches!(none, EncryptedError::Encrypt(_)), "{none}");

    let (service, client) = Service::new().start().await;
    let opened = client.decrypt(id(), &key, &Trust::default()).await.unwrap();
    assert_eq!((opened.json(), opened.key_manager()), (r#"{"count":3}"#, None));
    let of_another_key = Receipt { key_hash: Some(B256::ZERO), ..service.receipt.lock().unwrap().clone() };
    *service.receipt.lock().unwrap() = of_another_key;
    let error = client.decrypt(id(), &key, &Trust::default()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, EncryptedError::OtherKey { .. } | EncryptedError::Receipt(_)), "{error}");
    *service.receipt.lock().unwrap() = receipt(Address::ZERO, B256::repeat_byte(1));
    let error = client.decrypt(id(), &key, &Trust::default()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, EncryptedError::Unconfirmed { .. }), "{error}");
}
