Feature: Items

  Scenario: An item is found again
    When the item "tea-1" is added as "Green tea"
    Then the item "tea-1" is named "Green tea"

  Scenario: An item that is sent twice is added once
    Given the item "tea-2" is added as "Black tea"
    When the item "tea-2" is added as "Black tea"
    Then the item "tea-2" is named "Black tea"

  Scenario: An id belongs to one item
    Given the item "tea-3" is added as "White tea"
    When the item "tea-3" is added as "Coffee"
    Then that is refused with "ITEM_EXISTS"
    And the item "tea-3" is named "White tea"

  Scenario Outline: An item that is not valid is refused
    When the item "<id>" is added as "<name>"
    Then that is refused with "ITEM_INVALID"

    Examples:
      | id      | name |
      | Tea_4   | Tea  |
      | tea-4   |      |

  Scenario: An item that was never added is not found
    When the item "tea-5" is looked up
    Then that is refused with "ITEM_NOT_FOUND"
