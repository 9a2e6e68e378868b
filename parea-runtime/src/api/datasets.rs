//! Datasets, which the wire calls test case collections.

use std::fmt::Display;

use parea_types::{
    CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases, DatasetSummary, DatasetVersion,
    GetTestCaseCollectionResponse, UpdateTestCasePublicRequest, VersionedDataset,
};
use reqwest::Method;

use super::{
    ApiClient, ApiError,
    client::{done, segment},
    retry::Again,
};

impl ApiClient {
    /// Creates a dataset. From then on its name stands for it, also when there was one of that name before.
    pub async fn create_dataset(
        &self,
        request: &CreateTestCaseCollectionRequest,
    ) -> Result<CreateTestCaseCollectionResponse, ApiError> {
        self.post("/collection", request, Again::Doubles).await
    }

    /// A dataset with all its rows, by id or by name; `None` when the server has none. A name that is all digits is
    /// taken for an id.
    pub async fn dataset(&self, id_or_name: impl Display) -> Result<Option<GetTestCaseCollectionResponse>, ApiError> {
        self.get(&format!("/collection/{}", segment("the dataset's name", &id_or_name.to_string())?)).await
    }

    /// A dataset as it was in a version, or for `None` as it is now; `None` when the server has none. Not part of the published
    /// API: other servers answer 404.
    pub async fn dataset_version(
        &self,
        id_or_name: impl Display,
        version: Option<u64>,
    ) -> Result<Option<VersionedDataset>, ApiError> {
        let name = segment("the dataset's name", &id_or_name.to_string())?;
        let query = version.map(|version| format!("?version={version}")).unwrap_or_default();
        self.get(&format!("/dataset_version/{name}{query}")).await
    }

    /// The versions of a dataset, the newest first; `None` when the server has none. Not part of the published API.
    pub async fn dataset_versions(&self, id_or_name: impl Display) -> Result<Option<Vec<DatasetVersion>>, ApiError> {
        self.get(&format!("/dataset_versions/{}", segment("the dataset's name", &id_or_name.to_string())?)).await
    }

    /// All datasets, by name. Not part of the published API.
    pub async fn datasets(&self) -> Result<Vec<DatasetSummary>, ApiError> {
        self.get("/datasets").await
    }

    /// Adds rows to a dataset, which is created when there is none of that name. Returns the ids of the new rows in the
    /// order of the request.
    pub async fn add_test_cases(&self, request: &CreateTestCases) -> Result<Vec<i64>, ApiError> {
        self.post("/testcases", request, Again::Doubles).await
    }

    /// Changes a row: what is set in the request, and nothing else.
    pub async fn update_test_case(
        &self,
        dataset_id: i64,
        test_case_id: i64,
        change: &UpdateTestCasePublicRequest,
    ) -> Result<(), ApiError> {
        let path = format!("/update_test_case/{dataset_id}/{test_case_id}");
        done(&self.write(Method::POST, &path, change, Again::Harmless).await?)
    }
}
