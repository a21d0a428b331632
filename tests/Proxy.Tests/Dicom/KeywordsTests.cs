using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class KeywordsTests
{
    [Theory]
    [InlineData("PatientName", 0x00100010u)]
    [InlineData("StudyInstanceUID", 0x0020000Du)]
    [InlineData("ModalitiesInStudy", 0x00080061u)]
    [InlineData("BodyPartExamined", 0x00180015u)]
    [InlineData("NumberOfFrames", 0x00280008u)]
    [InlineData("RequestAttributesSequence", 0x00400275u)]
    [InlineData("ScheduledProcedureStepID", 0x00400009u)]
    [InlineData("MediaStorageSOPClassUID", 0x00020002u)]
    [InlineData("ContributingEquipmentSequence", 0x0018A001u)]
    [InlineData("ConceptNameCodeSequence", 0x0040A043u)]
    [InlineData("SegmentSequence", 0x00620002u)]
    [InlineData("AcquisitionUID", 0x00080017u)]
    [InlineData("InterpretationText", 0x4008010Bu)]
    [InlineData("RTPlanLabel", 0x300A0002u)]
    [InlineData("OverlayRows", 0x60000010u)]
    [InlineData("PixelData", 0x7FE00010u)]
    [InlineData("DigitalSignaturesSequence", 0xFFFAFFFAu)]
    [InlineData("0020000d", 0x0020000Du)]
    [InlineData("00091001", 0x00091001u)]
    public void KnowsKeywordsAndTags(string name, uint tag)
    {
        Assert.True(Keywords.TryParse(name, out var found));
        Assert.Equal(tag, found.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("patientname")]
    [InlineData("PatientNane")]
    [InlineData("limit")]
    [InlineData("PatientName ")]
    public void RefusesOtherNames(string name) => Assert.False(Keywords.TryParse(name, out _));

    /// <summary>Every attribute that a server must match by PS3.18 Table 10.6.1-5.</summary>
    [Theory]
    [InlineData("StudyDate")]
    [InlineData("StudyTime")]
    [InlineData("AccessionNumber")]
    [InlineData("ModalitiesInStudy")]
    [InlineData("ReferringPhysicianName")]
    [InlineData("PatientName")]
    [InlineData("PatientID")]
    [InlineData("StudyInstanceUID")]
    [InlineData("StudyID")]
    [InlineData("StudyDescription")]
    [InlineData("Modality")]
    [InlineData("SeriesInstanceUID")]
    [InlineData("SeriesNumber")]
    [InlineData("PerformedProcedureStepStartDate")]
    [InlineData("PerformedProcedureStepStartTime")]
    [InlineData("ScheduledProcedureStepID")]
    [InlineData("RequestedProcedureID")]
    [InlineData("SOPClassUID")]
    [InlineData("SOPInstanceUID")]
    [InlineData("InstanceNumber")]
    public void KnowsTheMatchAttributesOfSearches(string name) => Assert.True(Keywords.TryParse(name, out _));
}
