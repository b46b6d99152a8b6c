"""Registers are folders; an instance has those that are shipped and those that its operator adds."""

from pathlib import Path

import pytest

from kernel import DatasetId, NotFound
from schemas import SHIPPED, DatasetUnknown, ServiceUnknown, check_registers, load_registers, register_folders
from tests.schemas.builders import a_contract, a_service, errors, warnings, write


class TestFolders:
    def test_a_folder_may_hold_registers_or_be_one(self, tmp_path: Path) -> None:
        ships = write(tmp_path / "ships")
        assert load_registers(tmp_path) == load_registers(ships)

    def test_shipped_registers_and_the_operators_stand_together(self, tmp_path: Path) -> None:
        write(tmp_path / "ships")
        ids = [dataset.id for dataset in load_registers(SHIPPED, tmp_path).datasets]
        shipped = [dataset.id for dataset in load_registers(SHIPPED).datasets]
        assert ids == sorted([*shipped, "ships.ships"])

    def test_the_same_folder_named_twice_is_read_once(self, tmp_path: Path) -> None:
        ships = write(tmp_path / "ships")
        assert list(register_folders(ships, tmp_path, ships)) == [ships]

    def test_hidden_folders_are_passed_over(self, tmp_path: Path) -> None:
        write(tmp_path / "ships")
        (tmp_path / ".git").mkdir()
        assert check_registers(tmp_path) == []

    def test_two_registers_do_not_promise_the_same_dataset(self, tmp_path: Path) -> None:
        write(tmp_path / "old" / "ships")
        write(tmp_path / "new" / "ships", contract=a_contract() | {"id": "another"})
        (found,) = errors(tmp_path / "old", tmp_path / "new")
        assert "dataset ships.ships is already in" in found.problem

    def test_a_folder_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        (found,) = errors(tmp_path / "nowhere")
        assert found.problem == "there is no such folder"

    def test_a_folder_without_registers_is_a_warning(self, tmp_path: Path) -> None:
        (found,) = warnings(tmp_path)
        assert found.problem == "holds no register"
        assert load_registers(tmp_path).datasets == ()

    def test_a_register_without_a_contract_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "ships").mkdir()
        (found,) = errors(tmp_path)
        assert found.remedy == "write ships.odcs.yaml"

    def test_a_second_contract_in_a_register_is_not_passed_over_in_silence(self, tmp_path: Path) -> None:
        ships = write(tmp_path / "ships")
        (ships / "boats.odcs.yaml").write_text("{}")
        (found,) = errors(ships)
        assert found.path.name == "boats.odcs.yaml"

    def test_a_file_that_ends_in_yml_is_not_passed_over_in_silence(self, tmp_path: Path) -> None:
        ships = write(tmp_path / "ships")
        (ships / "ships.service.yml").write_text("{}")
        (found,) = warnings(ships)
        assert found.remedy == "let its name end in .yaml"

    def test_one_fault_in_a_contract_is_not_reported_again_for_each_service(self, tmp_path: Path) -> None:
        contract = a_contract(key={"primaryKey": False})
        (found,) = errors(write(tmp_path / "ships", contract=contract, services=(a_service(),)))
        assert "primary key" in found.problem


class TestFinding:
    def test_what_nobody_promises_is_not_found(self, tmp_path: Path) -> None:
        registers = load_registers(write(tmp_path / "ships", services=(a_service(),)))
        with pytest.raises(ServiceUnknown) as service:
            registers.service("0101700000")
        assert "0101700000" not in service.value.message
        with pytest.raises(DatasetUnknown):
            registers.dataset(DatasetId("ships.boats"))
        assert isinstance(service.value, NotFound)

    def test_the_dataset_of_a_service(self, tmp_path: Path) -> None:
        registers = load_registers(write(tmp_path / "ships", services=(a_service(),)))
        assert registers.dataset_of(registers.service("ships")).id == "ships.ships"

    def test_a_service_of_a_live_source_has_no_dataset(self, tmp_path: Path) -> None:
        service = a_service(integration_type="redirect", dataset=None, redirect={"source": "harbour"})
        registers = load_registers(write(tmp_path / "ships", services=(service,)))
        with pytest.raises(DatasetUnknown, match="has no dataset"):
            registers.dataset_of(registers.service("ships"))
