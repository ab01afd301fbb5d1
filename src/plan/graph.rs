//! stub
/// stub
pub struct Plan; 
/// stub
pub struct PlanError; 
/// stub
pub struct Step; 
/// stub
pub struct StepId;
