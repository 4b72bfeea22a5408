//! What the org says of its schema and its limits.

use serde_json::{Value as Json, json};

use super::Call;
use super::rows::find_table;
use crate::sandbox::http::Response;
use crate::sandbox::salesforce::database::Database;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::schema::{Field, Kind, Object};
use crate::sandbox::salesforce::world::SalesforceWorld;

/// `GET /services/data/vXX.X`
pub fn resources(base: &str) -> Response {
    let url = |name: &str| format!("{base}/{name}");
    Response::json(
        200,
        &json!({
            "sobjects": url("sobjects"), "query": url("query"), "queryAll": url("queryAll"),
            "composite": url("composite"), "limits": url("limits"),
        }),
    )
}

/// `GET /sobjects`
pub fn global(world: &SalesforceWorld, base: &str) -> Response {
    let objects = world.database.tables().iter().map(|table| summary(table.object(), base));
    Response::json(200, &json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects.collect::<Vec<_>>()}))
}

/// `GET /sobjects/{X}`
pub fn basic(world: &SalesforceWorld, call: &Call<'_>, object: &str) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let summary = summary(world.database.object(table), &call.base);
    Ok(Response::json(200, &json!({"objectDescribe": summary, "recentItems": []})))
}

/// `GET /sobjects/{X}/describe`
pub fn object(world: &SalesforceWorld, call: &Call<'_>, object: &str) -> Result<Response, Refusal> {
    let table = find_table(&world.database, object)?;
    let object = world.database.object(table);
    let mut described = summary(object, &call.base);
    described["fields"] = object.fields().iter().map(field).collect();
    described["childRelationships"] = children(&world.database, object);
    for key in LISTS {
        described[key] = json!([]);
    }
    for key in ABSENT {
        described[key] = Json::Null;
    }
    described["sobjectDescribeOption"] = json!("FULL");
    described["listviewable"] = Json::Null;
    described["searchLayoutable"] = json!(true);
    described["compactLayoutable"] = json!(true);
    described["supportedScopes"] = json!([{"label": format!("All {}", object.plural), "name": "everything"}]);
    Ok(Response::json(200, &described))
}

/// `GET /limits`
pub fn limits(world: &SalesforceWorld) -> Response {
    let max = world.calls_max();
    let full = |max: u64| json!({"Max": max, "Remaining": max});
    Response::json(
        200,
        &json!({
            "DailyApiRequests": {"Max": max, "Remaining": max.saturating_sub(world.calls)},
            "DailyBulkApiBatches": full(15_000),
            "DailyBulkV2QueryJobs": full(10_000),
            "DailyBulkV2QueryFileStorageMB": full(976_562),
            "DailyDeliveredPlatformEvents": full(50_000),
            "HourlyPublishedPlatformEvents": full(50_000),
            "DataStorageMB": full(1_024),
        }),
    )
}

fn summary(object: &Object, base: &str) -> Json {
    let (name, writable) = (object.name, object.writable);
    let url = format!("{base}/sobjects/{name}");
    json!({
        "activateable": false, "createable": writable, "custom": false, "customSetting": false,
        "deepCloneable": false, "deletable": writable, "deprecatedAndHidden": false, "feedEnabled": true,
        "hasSubtypes": false, "isInterface": false, "isSubtype": false, "keyPrefix": object.prefix,
        "label": name, "labelPlural": object.plural, "layoutable": true,
        "mergeable": matches!(name, "Account" | "Contact" | "Lead"), "mruEnabled": true, "name": name,
        "queryable": true, "replicateable": true, "retrieveable": true, "searchable": true,
        "triggerable": true, "undeletable": writable, "updateable": writable,
        "urls": {
            "sobject": url, "describe": format!("{url}/describe"), "rowTemplate": format!("{url}/{{ID}}"),
        },
    })
}

fn children(database: &Database, parent: &Object) -> Json {
    let mut all = Vec::new();
    for table in database.tables() {
        let child = table.object();
        for field in child.fields().iter().filter(|field| field.reference_to == Some(parent.name)) {
            let cascades = parent.name == "Account" && field.name == "AccountId";
            all.push(json!({
                "cascadeDelete": cascades, "childSObject": child.name, "deprecatedAndHidden": false,
                "field": field.name, "junctionIdListNames": [], "junctionReferenceTo": [],
                "relationshipName": if cascades { Some(child.plural) } else { None }, "restrictedDelete": false,
            }));
        }
    }
    Json::Array(all)
}

fn field(field: &Field) -> Json {
    let is_text = field.kind.is_text();
    let short = field.filterable && field.kind != Kind::Address;
    let is_int = field.kind == Kind::Int;
    let number = matches!(field.kind, Kind::Double | Kind::Currency | Kind::Percent);
    let value =
        |value: &&str| json!({"active": true, "defaultValue": false, "label": value, "validFor": null, "value": value});
    let picklist: Vec<Json> = field.picklist.iter().map(value).collect();
    let mut described = json!({
        "name": field.name, "label": field.label, "type": field.kind.name(), "soapType": field.kind.soap(),
        "length": if is_text || field.reference_to.is_some() || field.kind == Kind::Id { field.length } else { 0 },
        "byteLength": field.length * if field.kind.soap() == "tns:ID" { 1 } else { 3 },
        "digits": if is_int { field.precision } else { 0 },
        "precision": if number { field.precision } else { 0 },
        "scale": field.scale,
        "nillable": field.nillable, "createable": field.createable, "updateable": field.updateable,
        "defaultedOnCreate": field.defaulted, "permissionable": field.nillable && field.updateable,
        "externalId": field.external_id, "idLookup": field.id_lookup, "unique": field.unique,
        "caseSensitive": field.case_sensitive, "custom": field.custom, "nameField": field.name_field,
        "picklistValues": picklist, "restrictedPicklist": field.restricted,
        "referenceTo": field.reference_to.iter().collect::<Vec<_>>(), "relationshipName": field.relationship,
        "compoundFieldName": field.compound,
        "extraTypeInfo": extra_type(field),
        "filterable": short, "sortable": short, "groupable": short && !number && field.kind != Kind::DateTime,
        "aggregatable": short && field.kind != Kind::Boolean,
        "defaultValue": if field.kind == Kind::Boolean { json!(false) } else { Json::Null },
    });
    for key in FALSE {
        described[key] = json!(false);
    }
    for key in NULL {
        described[key] = Json::Null;
    }
    described
}

fn extra_type(field: &Field) -> Option<&'static str> {
    match (field.kind, field.name.as_str()) {
        (Kind::TextArea, _) => Some("plaintextarea"),
        (_, "Name") if field.compound.is_none() && !field.createable => Some("personname"),
        _ => None,
    }
}

const LISTS: [&str; 3] = ["actionOverrides", "namedLayoutInfos", "recordTypeInfos"];

const ABSENT: [&str; 9] = [
    "associateEntityType",
    "associateParentEntity",
    "defaultImplementation",
    "extendedBy",
    "extendsInterfaces",
    "implementedBy",
    "implementsInterfaces",
    "lookupLayoutable",
    "networkScopeFieldName",
];

const FALSE: [&str; 17] = [
    "aiPredictionField",
    "autoNumber",
    "calculated",
    "cascadeDelete",
    "dependentPicklist",
    "deprecatedAndHidden",
    "displayLocationInDecimal",
    "encrypted",
    "formulaTreatNullNumberAsZero",
    "highScaleNumber",
    "htmlFormatted",
    "namePointing",
    "polymorphicForeignKey",
    "queryByDistance",
    "restrictedDelete",
    "searchPrefilterable",
    "writeRequiresMasterRead",
];

const NULL: [&str; 9] = [
    "calculatedFormula",
    "controllerName",
    "defaultValueFormula",
    "filteredLookupInfo",
    "inlineHelpText",
    "mask",
    "maskType",
    "referenceTargetField",
    "relationshipOrder",
];
