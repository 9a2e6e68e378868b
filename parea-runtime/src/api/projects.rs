//! Projects.

use parea_types::{CreateGetProjectRequest, CreateGetProjectResponse};

use super::{ApiClient, ApiError, retry::Again};

impl ApiClient {
    /// The project of that name, which is created when there is none.
    pub async fn project(&self, name: &str) -> Result<CreateGetProjectResponse, ApiError> {
        let request = CreateGetProjectRequest { name: name.to_owned() };
        self.post("/project", &request, Again::Harmless).await
    }

    /// Uuid of the project of that name, which is created when there is none.
    pub async fn project_uuid(&self, name: &str) -> Result<String, ApiError> {
        // Of the answer nothing else is looked at, so that a server that leaves something out still serves logs.
        #[derive(serde::Deserialize)]
        struct Project {
            uuid: String,
        }
        let request = CreateGetProjectRequest { name: name.to_owned() };
        Ok(self.post::<Project>("/project", &request, Again::Harmless).await?.uuid)
    }
}
